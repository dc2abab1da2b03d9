//! The SDK's configuration: region, credentials, endpoint, and the HTTP client that all services share.

use std::env;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
};
use aws_sdk_dynamodb::config::{RuntimeComponents, SharedCredentialsProvider};
use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// The configuration for tools and tests, from every source that the SDK knows: environment, profiles, metadata
/// services.
///
/// Retries are the SDK's standard: three attempts. A retry may repeat an attempt that succeeded. Repeating is safe: the
/// engine's writes are conditional, and consumers deduplicate records that are appended twice.
pub async fn config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// The configuration of a function, from the environment variables of Lambda or a local runtime alone. The number of
/// retries is the same as in [`config`].
///
/// Leaving the other sources out keeps profiles, metadata services and the STS client out of the binary. One HTTP
/// client serves all services, so root certificates are parsed only once, and not at all for an endpoint without TLS.
#[must_use]
pub fn function_config() -> SdkConfig {
    let endpoint = variable("AWS_ENDPOINT_URL");
    let plain = endpoint
        .as_deref()
        .is_some_and(|url| url.starts_with("http://"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ));
    config
        .set_region(variable("AWS_REGION").map(Region::new))
        .set_endpoint_url(endpoint)
        .set_use_fips(flag("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(flag("AWS_USE_DUALSTACK_ENDPOINT"));
    if plain {
        config.set_http_client(Some(Builder::new().build_http()));
    } else {
        // This is the SDK's own default client, which the SDK would otherwise build once for each service.
        let client = Builder::new().build_with_connector_fn(|settings, components| {
            let mut connector =
                ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            connector
                .set_connector_settings(settings.cloned())
                .set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl))
                .set_proxy_config(Some(ProxyConfig::from_env()));
            connector.build()
        });
        config.set_http_client(Some(client));
    }
    config.build()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn flag(name: &str) -> Option<bool> {
    Some(variable(name)?.eq_ignore_ascii_case("true"))
}
