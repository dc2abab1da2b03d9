//! Signed requests to the HTTP interfaces of S3 and Lambda, on the AWS SDK's own runtime.
//!
//! The SDK signs each request, refreshes credentials, retries, limits the time, and corrects clocks. [`Rest`] names the
//! parts of the SDK that do this work, as the SDK's generated clients do. The modules `s3` and `lambda` write the
//! requests and read the answers.

use aws_config::SdkConfig;
use aws_runtime::{
    auth::{
        SigV4OperationSigningConfig, SigningOptions,
        sigv4::{SCHEME_ID, SigV4AuthScheme},
    },
    invocation_id::InvocationIdInterceptor,
    recursion_detection::RecursionDetectionInterceptor,
    request_info::RequestInfoInterceptor,
    retries::classifiers::{AwsErrorCodeClassifier, TRANSIENT_ERRORS},
    service_clock_skew::{
        DisableClockSkewCorrection, ServiceClockSkewClassifier, ServiceClockSkewInterceptor,
    },
    user_agent::{ApiMetadata, UserAgentInterceptor},
};
use aws_smithy_runtime::client::{
    auth::no_auth::NO_AUTH_SCHEME_ID,
    identity::no_auth::NoAuthIdentityResolver,
    orchestrator::operation::Operation,
    retries::{
        RetryPartition,
        classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier},
    },
    stalled_stream_protection::StalledStreamProtectionInterceptor,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthSchemeOptionResolverParams, static_resolver::StaticAuthSchemeOptionResolver},
        behavior_version::BehaviorVersion,
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput},
        result::SdkError,
        runtime_components::RuntimeComponentsBuilder,
        runtime_plugin::StaticRuntimePlugin,
    },
    http::Headers,
};
use aws_smithy_types::{
    body::SdkBody, config_bag::Layer, error::ErrorMetadata, retry::RetryConfig,
};
use aws_types::{
    SigningName,
    region::{Region, SigningRegion},
    service_config::ServiceConfigKey,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// An AWS service with an HTTP interface.
pub(crate) struct Service {
    /// The name in host names, in signatures and in the user agent.
    pub(crate) name: &'static str,
    /// The name in settings of one service, for example in `AWS_ENDPOINT_URL_S3`.
    pub(crate) id: &'static str,
    /// The label before the region in the names of dual-stack hosts. Without a label, these hosts have a domain of
    /// their own.
    pub(crate) dual_stack: Option<&'static str>,
    /// S3 signs the path as it is sent, and sends the hash of the body. Other services sign a path that is normalised
    /// and encoded once more.
    pub(crate) signs_path_as_sent: bool,
    /// Error codes that are retried, besides those that the SDK retries for each service.
    pub(crate) transient: &'static [&'static str],
    /// Reads the code and the message of an error answer.
    pub(crate) error: fn(&HttpResponse) -> ErrorMetadata,
}

/// The beginning of a region's name, the domain of hosts in such a region, and the domain of its dual-stack hosts.
/// Regions of the isolated partitions (`us-iso` and others) are not listed and need an endpoint URL.
const DOMAINS: [(&str, &str, &str); 2] = [
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
];

impl Service {
    /// The service's host in the region of this configuration.
    pub(crate) fn host(&self, config: &SdkConfig) -> String {
        let name = self.name;
        // Without a region the SDK cannot sign a request, and sends none.
        let region = config.region().map_or("", Region::as_ref);
        let fips = if config.use_fips() == Some(true) {
            "-fips"
        } else {
            ""
        };
        let mut domains = DOMAINS.iter();
        let (domain, dual_domain) = domains
            .find(|(prefix, ..)| region.starts_with(prefix))
            .map_or(("amazonaws.com", "api.aws"), |(_, domain, dual_domain)| {
                (domain, dual_domain)
            });
        match (config.use_dual_stack() == Some(true), self.dual_stack) {
            (false, _) => format!("{name}{fips}.{region}.{domain}"),
            (true, Some(label)) => format!("{name}{fips}.{label}.{region}.{domain}"),
            (true, None) => format!("{name}{fips}.{region}.{dual_domain}"),
        }
    }

    /// The endpoint URL that the configuration sets for this service or for all services. A URL that the program sets
    /// has precedence, as in the SDK's clients. FIPS and dual-stack settings do not change an endpoint URL.
    pub(crate) fn endpoint_url(&self, config: &SdkConfig) -> Option<String> {
        let for_all = config.endpoint_url().map(str::to_owned);
        if config.get_origin("endpoint_url").is_client_config() {
            return for_all;
        }
        let key = ServiceConfigKey::builder()
            .service_id(self.id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url");
        let key = key.build().ok();
        let for_one = key.and_then(|key| config.service_config()?.load_config(key));
        for_one.or(for_all)
    }
}

/// A request to a service.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// The path and the query, both percent-encoded.
    pub(crate) uri: String,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    /// A request without headers and body.
    pub(crate) fn new(method: &'static str, uri: String) -> Self {
        Self {
            method,
            uri,
            headers: &[],
            body: None,
        }
    }
}

/// The answer to a request that succeeded.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// The error of a request that failed: an error answer, or no answer.
pub(crate) type Error = SdkError<ErrorMetadata, HttpResponse>;

/// A client that signs requests and retries them by the rules of an [`SdkConfig`].
pub(crate) struct Rest {
    operation: Operation<Request, Answer, ErrorMetadata>,
}

impl Rest {
    /// A client of the service at this URL. Region, credentials, HTTP client, retries, timeouts and time are those of
    /// the configuration. The SDK has a default for each except region and credentials; a request without them fails.
    pub(crate) fn new(config: &SdkConfig, service: &Service, url: &str) -> Self {
        let transient = [TRANSIENT_ERRORS, service.transient].concat();
        let transient = AwsErrorCodeClassifier::<ErrorMetadata>::builder()
            .transient_errors(transient)
            .build();
        let error = service.error;
        let operation = Operation::builder()
            .service_name(service.id)
            .operation_name("Request")
            .behavior_version(
                config
                    .behavior_version()
                    .unwrap_or_else(BehaviorVersion::latest),
            )
            .endpoint_url(url)
            .with_connection_poisoning()
            .interceptor(ServiceClockSkewInterceptor::new())
            .interceptor(RequestInfoInterceptor::new())
            .interceptor(UserAgentInterceptor::new())
            .interceptor(InvocationIdInterceptor::new())
            // AWS stops functions that call each other in a circle, and detects them by this interceptor's header.
            .interceptor(RecursionDetectionInterceptor::new())
            .interceptor(StalledStreamProtectionInterceptor::default())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(transient)
            .retry_classifier(ServiceClockSkewClassifier::<ErrorMetadata>::new())
            .runtime_plugin(
                StaticRuntimePlugin::new()
                    .with_config(settings(config, service).freeze())
                    .with_runtime_components(components(config)),
            )
            .serializer(http_request)
            .deserializer(move |response| answer(response, error))
            .build();
        Self { operation }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Answer, Box<Error>> {
        self.operation.invoke(request).await.map_err(Box::new)
    }
}

/// The settings of the configuration and of the service, as the SDK's runtime looks them up.
fn settings(config: &SdkConfig, service: &Service) -> Layer {
    let region = config.region();
    // All clients of a service in one region share a budget of retries, as the SDK's clients do.
    let name = service.name;
    let retry_partition = region.map_or(name.to_owned(), |region| format!("{name}-{region}"));
    let mut options = SigningOptions::default();
    options.double_uri_encode = !service.signs_path_as_sent;
    options.normalize_uri_path = !service.signs_path_as_sent;
    options.content_sha256_header = service.signs_path_as_sent;
    let mut layer = Layer::new("rest");
    layer
        .store_put(AuthSchemeOptionResolverParams::new(()))
        .store_put(SigV4OperationSigningConfig {
            region: region.cloned().map(SigningRegion::from),
            region_set: None,
            name: Some(SigningName::from_static(service.name)),
            signing_options: options,
        })
        .store_put(
            config
                .retry_config()
                .cloned()
                .unwrap_or_else(RetryConfig::standard),
        )
        .store_put(RetryPartition::new(retry_partition))
        .store_put(ApiMetadata::new(service.name, env!("CARGO_PKG_VERSION")))
        // The SDK's traces leave out the bodies.
        .store_put(SensitiveOutput)
        .store_or_unset(config.app_name().cloned())
        .store_or_unset(
            config
                .disable_clock_skew_correction()
                .map(DisableClockSkewCorrection::from),
        );
    if let Some(timeouts) = config.timeout_config() {
        layer.store_put(timeouts.clone());
    }
    if let Some(protection) = config.stalled_stream_protection() {
        layer.store_put(protection);
    }
    for framework in config.framework_metadata() {
        layer.store_append(framework.clone());
    }
    layer
}

/// The configuration's credentials, HTTP client and clock. Defaults of the SDK replace an HTTP client or a clock that
/// is missing.
fn components(config: &SdkConfig) -> RuntimeComponentsBuilder {
    let mut components = RuntimeComponentsBuilder::new("rest");
    components
        .set_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .push_auth_scheme(SigV4AuthScheme::new())
        // Without any source of identities, the SDK reports a mistake in the request. With this source, which no
        // request uses, the SDK reports that credentials are missing, and the request is worth a retry.
        .set_identity_resolver(NO_AUTH_SCHEME_ID, NoAuthIdentityResolver::new())
        .set_http_client(config.http_client())
        .set_identity_cache(config.identity_cache())
        .set_sleep_impl(config.sleep_impl())
        .set_time_source(config.time_source());
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    components
}

fn http_request(request: Request) -> Result<HttpRequest, BoxError> {
    let length = request.body.as_ref().map(Vec::len);
    let body = request.body.map_or_else(SdkBody::empty, SdkBody::from);
    let mut http = HttpRequest::new(body);
    http.set_method(request.method)?;
    http.set_uri(request.uri)?;
    let headers = http.headers_mut();
    for (name, value) in request.headers {
        headers.try_insert(*name, *value)?;
    }
    if let Some(length) = length {
        headers.try_insert("content-length", length.to_string())?;
        headers.try_insert("content-type", "application/octet-stream")?;
    }
    Ok(http)
}

/// The runtime has read the whole body before it calls this function. A body that ends early is an error of the
/// attempt.
fn answer(
    response: &HttpResponse,
    error: fn(&HttpResponse) -> ErrorMetadata,
) -> Result<Answer, OrchestratorError<ErrorMetadata>> {
    if response.status().is_success() {
        Ok(Answer {
            headers: response.headers().clone(),
            body: response.body().bytes().unwrap_or_default().to_vec(),
        })
    } else {
        Err(OrchestratorError::operation(error(response)))
    }
}

/// The bytes that a URI's path and query may contain in any place.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// A text as one segment of a path, or as a value of a query.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A text as segments of a path: a slash stays a slash.
pub(crate) fn path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

#[cfg(test)]
mod tests {
    use aws_types::service_config::LoadServiceConfig;

    use super::*;

    const ONE: Service = Service {
        name: "one",
        id: "One",
        dual_stack: None,
        signs_path_as_sent: false,
        transient: &[],
        error: |_| ErrorMetadata::default(),
    };

    #[test]
    fn hosts_of_regions() {
        let host = |label: Option<&'static str>, region: &'static str, dual: bool, fips: bool| {
            let config = SdkConfig::builder()
                .region(Region::new(region))
                .use_dual_stack(dual)
                .use_fips(fips);
            let service = Service {
                dual_stack: label,
                ..ONE
            };
            service.host(&config.build())
        };
        let (own, label) = (None, Some("dual"));
        for (got, expected) in [
            (
                host(own, "us-east-1", false, false),
                "one.us-east-1.amazonaws.com",
            ),
            (
                host(own, "us-gov-west-1", false, true),
                "one-fips.us-gov-west-1.amazonaws.com",
            ),
            (host(own, "sa-east-1", true, false), "one.sa-east-1.api.aws"),
            (
                host(own, "us-east-2", true, true),
                "one-fips.us-east-2.api.aws",
            ),
            (
                host(own, "cn-north-1", false, false),
                "one.cn-north-1.amazonaws.com.cn",
            ),
            (
                host(own, "cn-north-1", true, false),
                "one.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                host(own, "eusc-de-east-1", false, false),
                "one.eusc-de-east-1.amazonaws.eu",
            ),
            (
                host(label, "us-east-1", false, true),
                "one-fips.us-east-1.amazonaws.com",
            ),
            (
                host(label, "us-east-1", true, false),
                "one.dual.us-east-1.amazonaws.com",
            ),
            (
                host(label, "us-east-1", true, true),
                "one-fips.dual.us-east-1.amazonaws.com",
            ),
            (
                host(label, "cn-north-1", true, false),
                "one.dual.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            assert_eq!(got, expected);
        }
    }

    /// The settings of a user's environment with an endpoint URL for one service.
    #[derive(Debug)]
    struct ForOne;

    impl LoadServiceConfig for ForOne {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            let name = (key.service_id(), key.env(), key.profile());
            let known = name == ("One", "AWS_ENDPOINT_URL", "endpoint_url");
            known.then(|| "http://one".to_owned())
        }
    }

    #[test]
    fn the_endpoint_url_of_a_service_precedes_that_of_all_services() {
        let url = |all: Option<&str>, one: Option<ForOne>| {
            let mut config = SdkConfig::builder();
            config
                .set_endpoint_url(all.map(str::to_owned))
                .set_service_config(one);
            config.build()
        };
        let both = url(Some("http://all"), Some(ForOne));
        for (config, expected) in [
            (&url(None, None), None),
            (&url(Some("http://all"), None), Some("http://all")),
            (&url(None, Some(ForOne)), Some("http://one")),
            (&both, Some("http://one")),
        ] {
            assert_eq!(ONE.endpoint_url(config).as_deref(), expected);
        }
        let other = Service { id: "Other", ..ONE };
        assert_eq!(other.endpoint_url(&both).as_deref(), Some("http://all"));
    }

    #[test]
    fn each_byte_is_encoded_but_those_that_no_server_changes() {
        let plain = "AZaz09-._~";
        assert_eq!(segment(plain), plain);
        assert_eq!(path("a/b//c/"), "a/b//c/");
        assert_eq!(segment("a/b"), "a%2Fb");
        assert_eq!(path(" +%&=?#:\"ñ"), "%20%2B%25%26%3D%3F%23%3A%22%C3%B1");
    }
}
