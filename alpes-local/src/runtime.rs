//! The runtime: all services behind one address, and what is deployed to them.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use ::http::StatusCode;
use async_trait::async_trait;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    admin,
    chaos::{self, Chaos},
    deploy::Plan,
    error::AwsError,
    http::{self, Handler, Request, Response},
    iam::{Caller, requests},
    mount::Mount,
    options::{Data, Options},
    page::{self, ApiEntry, Link, Overview},
    remains::outlast,
    router::{self, For, Known},
    services::{Behaviour, Services},
    store::Store,
    throttling::Throttling,
};

const OF_ANOTHER_SITE: &str = "a web page of another site may use the APIs here, and neither AWS's services nor the admin API";

/// A running runtime.
pub struct Runtime {
    options: Options,
    port: u16,
    /// The services.
    pub services: Services,
    /// One deployment at a time.
    deploying: tokio::sync::Mutex<()>,
    deployed: RwLock<Arc<Plan>>,
    /// True once the first deployment is done.
    ready: watch::Sender<bool>,
    /// The task that answers requests.
    serving: Mutex<Option<JoinHandle<()>>>,
    store: Arc<Store>,
    /// The unkind choices; `None` for a kind runtime.
    pub chaos: Option<Arc<Chaos>>,
    folder: Folder,
}

/// The folder of the data, which this process alone uses.
struct Folder {
    path: PathBuf,
    /// True if the folder goes with the runtime.
    temporary: bool,
    /// The lock on the folder. The system releases it when this process ends, however that happens.
    _lock: File,
}

impl Folder {
    async fn open(data: &Data) -> Result<Self, String> {
        let (path, temporary) = match data {
            Data::Folder(path) => (path.clone(), false),
            Data::Memory => {
                let name = format!("alpes-local-{}", uuid::Uuid::new_v4());
                (std::env::temp_dir().join(name), true)
            }
        };
        let said = |error: io::Error| format!("the data folder {}: {error}", path.display());
        fs::create_dir_all(&path).map_err(said)?;
        let path = path.canonicalize().map_err(said)?;
        let lock = File::create(path.join("lock")).map_err(said)?;
        let held = |error: &TryLockError| matches!(error, TryLockError::WouldBlock);
        match outlast(async || lock.try_lock(), held).await {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another runtime uses the data folder {}",
                    path.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(said(error)),
        }
        Ok(Self {
            path,
            temporary,
            _lock: lock,
        })
    }

    /// Removes a temporary folder. Files that cannot be deleted stay in the system's folder of temporary files.
    fn remove(&self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }

    /// The unkind choices of a seed.
    fn chaos(&self, seed: Option<u64>) -> Result<Option<Arc<Chaos>>, String> {
        let chaos = seed.map(|seed| Chaos::new(seed, &self.path.join("logs")));
        chaos
            .transpose()
            .map_err(|error| format!("the log of chaos: {error}"))
    }

    fn store(&self) -> Result<Store, String> {
        let opened = if self.temporary {
            Store::in_memory(&self.path)
        } else {
            Store::open(&self.path)
        };
        opened.map_err(|error| error.to_string())
    }
}

impl Runtime {
    /// Opens the data, listens, and deploys the templates. Services answer from the beginning, because functions that an
    /// earlier runtime left at work need them; APIs and the admin API answer when the templates are deployed.
    ///
    /// # Errors
    ///
    /// A sentence for people: the port or the data folder is taken, or a template cannot be deployed.
    pub async fn start(options: Options) -> Result<Arc<Self>, String> {
        let held = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
        let listener = outlast(async || http::listen(options.port).await, held)
            .await
            .map_err(|error| format!("port {} on 127.0.0.1: {error}", options.port))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let folder = Folder::open(&options.data).await?;
        let store = Arc::new(folder.store()?);
        let endpoint = format!("http://{address}");
        let behaviour = Behaviour {
            polling: options.polling,
            throttling: options.quotas.then(Throttling::new),
            chaos: folder.chaos(options.chaos)?,
        };
        let services =
            Services::new(&store, &endpoint, &behaviour).map_err(|error| error.to_string())?;
        let runtime = Arc::new(Self {
            options,
            port: address.port(),
            services,
            deploying: tokio::sync::Mutex::new(()),
            deployed: RwLock::default(),
            ready: watch::Sender::new(false),
            serving: Mutex::default(),
            store,
            chaos: behaviour.chaos,
            folder,
        });
        let serving = tokio::spawn(http::serve(listener, runtime.handler()?));
        *runtime.serving() = Some(serving);
        let deployed = runtime.deploy().await;
        let started = deployed.and_then(|()| {
            let started = runtime.services.start();
            started.map_err(|error| error.to_string())
        });
        if let Err(error) = started {
            runtime.stop();
            return Err(error);
        }
        runtime.ready.send_replace(true);
        Ok(runtime)
    }

    /// The handler of requests: this runtime, behind chaos if there is any.
    fn handler(self: &Arc<Self>) -> Result<Arc<dyn Handler>, String> {
        match &self.chaos {
            None => Ok(self.clone()),
            Some(chaos) => {
                chaos::before(self.clone(), chaos, &self.store).map_err(|error| error.to_string())
            }
        }
    }

    fn serving(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the templates and the code again, and deploys what has changed.
    ///
    /// # Errors
    ///
    /// A sentence for people that names the template, the line and the rule. Nothing is changed by templates that
    /// cannot be read.
    pub async fn deploy(&self) -> Result<(), String> {
        let _turn = self.deploying.lock().await;
        let plan = self.plan()?;
        let iam = &self.services.iam;
        iam.deploy(&plan).map_err(|error| error.to_string())?;
        let artifacts = &self.options.artifacts;
        let applied = plan.apply(&self.services, &self.store, artifacts).await;
        applied.map_err(|(what, error)| format!("{what}: {error}"))?;
        let mut deployed = self
            .deployed
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *deployed = Arc::new(plan);
        Ok(())
    }

    fn plan(&self) -> Result<Plan, String> {
        let texts = self.options.templates.iter().map(|path| {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| format!("the template {}: {error}", path.display()));
            Ok((path.clone(), text?))
        });
        let texts: Vec<_> = texts.collect::<Result<_, String>>()?;
        let Options {
            stack, parameters, ..
        } = &self.options;
        Plan::read(&texts, stack, parameters).map_err(|error| error.to_string())
    }

    /// The plan that is deployed.
    pub fn deployed(&self) -> Arc<Plan> {
        let deployed = self.deployed.read();
        deployed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The address, `http://127.0.0.1:4566`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder of the logs, a file for each log group.
    #[must_use]
    pub fn logs_folder(&self) -> PathBuf {
        self.folder.path.join("logs")
    }

    /// The text that a person reads when the runtime is up.
    #[must_use]
    pub fn welcome(&self) -> String {
        let deployed = self.deployed();
        let mut lines = vec![format!("alpes-local is up at {}", self.endpoint())];
        lines.extend(self.chaos.as_ref().map(|chaos| chaos.welcome()));
        if !deployed.without_meaning.is_empty() {
            let ignored = deployed.without_meaning.join(", ");
            lines.push(format!("without meaning here: {ignored}"));
        }
        lines.join("\n")
    }

    /// Answers no further connections, ends all functions' processes, and removes data that nothing is to keep.
    pub fn stop(&self) {
        if let Some(serving) = self.serving().take() {
            serving.abort();
        }
        self.services.lambda.shutdown();
        self.folder.remove();
    }

    /// Waits until the templates are deployed.
    async fn is_ready(&self) {
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Checks that the caller of a request to a service may do what the request needs.
    fn judge(&self, target: &For, request: &Request) -> Result<(), AwsError> {
        let services = &self.services;
        let caller = services.iam.caller(request)?;
        if caller == Caller::Administrator {
            return Ok(());
        }
        let needs = requests::needs(services, target, request);
        let allowed = services.iam.check_all(&caller, &needs);
        allowed.map_err(|denied| denied.error())
    }

    /// Answers a request to S3. A caller who may not list a bucket does not learn which objects it lacks.
    fn answer_object(&self, request: &Request) -> Response {
        let services = &self.services;
        let response = services.s3.serve(request);
        if response.status() != StatusCode::NOT_FOUND {
            return response;
        }
        match self.may_learn_that_it_is_missing(request) {
            Ok(()) => response,
            Err(error) => services.refusal(&For::S3, request, &error),
        }
    }

    fn may_learn_that_it_is_missing(&self, request: &Request) -> Result<(), AwsError> {
        let iam = &self.services.iam;
        let need = requests::to_learn_that_it_is_missing(request);
        let allowed = iam.check_all(&iam.caller(request)?, need.as_slice());
        allowed.map_err(|denied| denied.error())
    }

    fn overview(&self) -> Overview {
        let mut overview = self.deployed().overview();
        overview.name.clone_from(&self.options.stack);
        overview.endpoint = self.endpoint();
        overview.logs_folder = self.logs_folder().display().to_string();
        for info in self.services.gateway.apis() {
            let url = format!(
                "{}/_aws/execute-api/{}/{}",
                self.endpoint(),
                info.id,
                info.stage
            );
            // The first API also answers at the address itself.
            let url = if overview.apis.is_empty() {
                self.endpoint()
            } else {
                url
            };
            overview.apis.push(ApiEntry { info, url });
        }
        let mounts = self.options.mounts.iter().map(Mount::prefix);
        let mounted = mounts.map(|path| (path, "another server, under this address"));
        let admin =
            "the admin API: the functions' processes, and the lag of each event source mapping";
        let links = mounted.chain([("/_alpes", admin)]);
        overview.links.extend(links.map(|(path, about)| Link {
            target: path.to_owned(),
            about: about.to_owned(),
        }));
        overview
    }
}

#[async_trait]
impl Handler for Runtime {
    async fn handle(&self, request: Request) -> Response {
        let services = &self.services;
        let known = Known {
            mounts: &self.options.mounts,
            // The gateway is asked only about requests whose answer depends on it.
            root_is_routed: request.path == "/"
                && services.gateway.first_serves(&request.method, "/"),
        };
        let target = match router::decide(&request, &known) {
            Ok(target) => target,
            Err(refused) => return refused.response(),
        };
        let is_api = matches!(target, For::Api { .. } | For::ShortApi);
        if is_api || matches!(target, For::Page | For::Admin(_)) {
            self.is_ready().await;
        }
        let is_for_pages = is_api || matches!(target, For::Page | For::Mount(..));
        if !is_for_pages && request.is_of_another_site() {
            let error = AwsError::of(403, "AccessDeniedException", OF_ANOTHER_SITE);
            return http::json_error("", &error);
        }
        if let Err(error) = self.judge(&target, &request) {
            return services.refusal(&target, &request, &error);
        }
        match target {
            For::Json {
                service,
                version,
                operation,
            } => services.json(service, version, &operation, &request).await,
            For::Query { service, action } => services.query(service, &action, &request),
            For::LambdaRest => services.lambda.serve(request).await,
            For::MappingsRest => services.mappings.serve(request).await,
            For::S3 => self.answer_object(&request),
            For::Api { id, stage, path } => {
                services.gateway.serve(&id, &stage, &path, &request).await
            }
            For::ShortApi => services.gateway.serve_first(&request).await,
            For::Admin(path) => admin::serve(self, &path, &request).await,
            For::Mount(place, rest) => match self.options.mounts.get(place) {
                Some(mount) => mount.forward(&rest, request).await,
                None => http::answer(404, "text/plain", "there is no such mount"),
            },
            For::Page => page::page(&self.overview()),
        }
    }
}
