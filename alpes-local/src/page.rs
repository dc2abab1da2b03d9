//! The page at the root: what runs, and where to go on.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write},
};

use http::{HeaderValue, header::CONTENT_SECURITY_POLICY};

use crate::{
    gateway::ApiInfo,
    http::{Response, answer, xml_text},
};

/// Everything that the page shows.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The name of what runs, for example of the stack.
    pub name: String,
    /// The URL of the runtime, for example `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// The folder with the log files.
    pub logs_folder: String,
    /// The APIs.
    pub apis: Vec<ApiEntry>,
    /// The functions.
    pub functions: Vec<Entry>,
    /// The event source mappings.
    pub mappings: Vec<Entry>,
    /// The streams.
    pub streams: Vec<Entry>,
    /// The tables.
    pub tables: Vec<Entry>,
    /// The buckets.
    pub buckets: Vec<Entry>,
    /// The queues.
    pub queues: Vec<Entry>,
    /// The topics.
    pub topics: Vec<Entry>,
    /// The state machines.
    pub machines: Vec<Entry>,
    /// The schedules.
    pub schedules: Vec<Entry>,
    /// Where to go on: the admin API, mounts, documentation.
    pub links: Vec<Link>,
}

/// A resource.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// A detail, for example `4 shards`; may be empty.
    pub detail: String,
}

/// An API with its URL.
#[derive(Clone, Debug)]
pub struct ApiEntry {
    /// The API.
    pub info: ApiInfo,
    /// The URL to which the paths of its routes are added, without a slash at the end.
    pub url: String,
}

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    /// An `http` or `https` URL, or a path that begins with `/`. Any other text is shown and not linked.
    pub target: String,
    /// A description of the target.
    pub about: String,
}

/// The methods of an API. A route that has them all is shown as one for any method.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The colours follow the browser's choice of light or dark. The details of all sections begin in one column; on a
/// narrow screen a detail goes below its name if it does not fit beside it.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}\
h1{font-size:1.6rem;margin-bottom:0}\
h2{font-size:1.1rem;margin:2rem 0 .3rem;border-bottom:1px solid color-mix(in srgb,currentColor 25%,transparent)}\
table{border-collapse:collapse;width:100%}\
td{padding:.15rem 1rem .15rem 0;vertical-align:top}\
td:first-child{width:50%}\
td:last-child{opacity:.75}\
code{font:0.9em ui-monospace,monospace}\
ul{padding-left:1.2rem}\
@media(max-width:40rem){\
table,tbody{display:block}\
tr{display:flex;flex-wrap:wrap;column-gap:1rem}\
td,td:first-child{width:auto;padding-right:0}\
td:last-child{margin-left:auto}\
td:empty{display:none}\
}\
";

/// The page.
#[must_use]
pub fn page(overview: &Overview) -> Response {
    let mut response = answer(200, "text/html; charset=utf-8", html(overview));
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn html(overview: &Overview) -> String {
    let mut html = String::new();
    // Writing to a text cannot fail.
    let _ = write_page(overview, &mut html);
    html
}

fn write_page(overview: &Overview, html: &mut String) -> fmt::Result {
    let name = Text(&overview.name);
    write!(
        html,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{name}</title>\
         <style>{STYLE}</style></head><body><h1>{name}</h1><p>alpes-local runs this stack. AWS's \
         services answer at <code>{}</code>. The logs are in <code>{}</code>. The lists below show what the templates \
         declare, without the resources that calls have created.</p>",
        Text(&overview.endpoint),
        Text(&overview.logs_folder),
    )?;
    write_links(&overview.links, html)?;
    for api in &overview.apis {
        write_api(api, html)?;
    }
    for (title, entries) in sections(overview) {
        write_section(title, entries, html)?;
    }
    html.write_str("</body></html>\n")
}

fn sections(overview: &Overview) -> [(&'static str, &[Entry]); 9] {
    [
        ("Functions", &overview.functions),
        ("Event source mappings", &overview.mappings),
        ("Streams", &overview.streams),
        ("Tables", &overview.tables),
        ("Buckets", &overview.buckets),
        ("Queues", &overview.queues),
        ("Topics", &overview.topics),
        ("State machines", &overview.machines),
        ("Schedules", &overview.schedules),
    ]
}

fn write_links(links: &[Link], html: &mut String) -> fmt::Result {
    if links.is_empty() {
        return Ok(());
    }
    html.write_str("<ul>")?;
    for link in links {
        let anchor = Anchor::of(&link.target, &link.target);
        write!(html, "<li>{anchor}: {}</li>", Text(&link.about))?;
    }
    html.write_str("</ul>")
}

fn write_api(api: &ApiEntry, html: &mut String) -> fmt::Result {
    let (info, url) = (&api.info, Text(&api.url));
    let (name, stage) = (Text(&info.name), Text(&info.stage));
    write!(
        html,
        "<h2>API {name}</h2><p>URL <code>{url}</code>, id <code>{}</code>, stage <code>{stage}</code></p><table>",
        Text(&info.id),
    )?;
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for route in &info.routes {
        paths.entry(&route.path).or_default().push(&route.method);
    }
    for (path, methods) in paths {
        let is_any =
            methods.contains(&"ANY") || METHODS.iter().all(|method| methods.contains(method));
        let is_read = is_any || methods.contains(&"GET");
        let target = if is_read && !path.contains('{') {
            format!("{}{path}", api.url)
        } else {
            String::new()
        };
        let methods = if is_any {
            "any method".to_owned()
        } else {
            methods.join(" ")
        };
        let anchor = Anchor::of(&target, path);
        write!(
            html,
            "<tr><td><code>{anchor}</code></td><td>{}</td></tr>",
            Text(&methods)
        )?;
    }
    html.write_str("</table>")
}

fn write_section(title: &str, entries: &[Entry], html: &mut String) -> fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    write!(html, "<h2>{title} ({})</h2><table>", entries.len())?;
    for entry in entries {
        let (name, detail) = (Text(&entry.name), Text(&entry.detail));
        write!(
            html,
            "<tr><td><code>{name}</code></td><td>{detail}</td></tr>"
        )?;
    }
    html.write_str("</table>")
}

/// A text, escaped.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&xml_text(self.0))
    }
}

/// A link, or only its text if the target is none that may be linked.
struct Anchor<'a> {
    target: Option<&'a str>,
    text: &'a str,
}

impl<'a> Anchor<'a> {
    fn of(target: &'a str, text: &'a str) -> Self {
        let is_linked = ["http://", "https://", "/"]
            .iter()
            .any(|beginning| target.starts_with(beginning));
        Self {
            target: is_linked.then_some(target),
            text,
        }
    }
}

impl Display for Anchor<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Text(self.text);
        match self.target {
            Some(target) => write!(to, "<a href=\"{}\">{text}</a>", Text(target)),
            None => write!(to, "{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::RouteInfo;

    fn route(method: &str, path: &str) -> RouteInfo {
        RouteInfo {
            method: method.to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn everything_is_escaped_and_only_plain_reads_are_links() {
        let mut routes = vec![
            route("GET", "/orders"),
            route("GET", "/orders/{id}"),
            route("GET", "/carts"),
            route("POST", "/carts"),
            route("POST", "/payments"),
            route("ANY", "/stock"),
        ];
        routes.extend(METHODS.map(|method| route(method, "/health")));
        let info = ApiInfo {
            id: "a1".to_owned(),
            name: "<shop>".to_owned(),
            stage: "v1".to_owned(),
            routes,
        };
        let overview = Overview {
            name: "a & b".to_owned(),
            apis: vec![ApiEntry {
                info,
                url: "http://127.0.0.1:4566".to_owned(),
            }],
            tables: vec![Entry {
                name: "\"t\"".to_owned(),
                detail: "<i>".to_owned(),
            }],
            links: vec![
                Link {
                    target: "javascript:alert(1)".to_owned(),
                    about: "no address".to_owned(),
                },
                Link {
                    target: "/_alpes".to_owned(),
                    about: "<the admin API>".to_owned(),
                },
            ],
            ..Overview::default()
        };
        let html = html(&overview);
        for part in [
            "<title>a &amp; b</title>",
            "API &lt;shop&gt;",
            "<a href=\"http://127.0.0.1:4566/orders\">/orders</a>",
            "<td><code>/orders/{id}</code></td><td>GET</td>",
            "/carts</a></code></td><td>GET POST</td>",
            "<td><code>/payments</code></td><td>POST</td>",
            "/health</a></code></td><td>any method</td>",
            "/stock</a></code></td><td>any method</td>",
            "Tables (1)",
            "&quot;t&quot;",
            "<li>javascript:alert(1): no address</li>",
            "<li><a href=\"/_alpes\">/_alpes</a>: &lt;the admin API&gt;</li>",
        ] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
        assert!(!html.contains("<i>") && !html.contains("Streams"));
        assert_eq!(page(&overview).status(), 200);
    }
}
