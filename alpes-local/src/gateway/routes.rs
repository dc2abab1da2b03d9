//! Finds the resource of a path.

use std::collections::BTreeMap;

use http::Method;

use super::{RouteInfo, integration::Integration};

/// The methods of an API.
pub(super) const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// The method that stands for all of them.
pub(super) const ANY: &str = "ANY";

/// A path of an API.
#[derive(Debug)]
pub(super) struct Resource {
    /// The path as it was defined, with variables in braces.
    pub(super) path: String,
    pub(super) id: String,
    methods: BTreeMap<String, Integration>,
}

impl Resource {
    pub(super) fn new(path: &str, id: String, methods: BTreeMap<String, Integration>) -> Self {
        Self {
            path: path.to_owned(),
            id,
            methods,
        }
    }

    /// The integration for this method: that of the method itself, or otherwise that of `ANY`.
    pub(super) fn method(&self, method: &Method) -> Option<&Integration> {
        let method = METHODS.into_iter().find(|known| *known == method)?;
        let methods = &self.methods;
        methods.get(method).or_else(|| methods.get(ANY))
    }
}

/// A resource for a request.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) resource: &'a Resource,
    /// The variables of the path and their values, still percent-encoded.
    pub(super) parameters: Vec<(&'a str, String)>,
}

/// The resources of an API: a tree of the parts of their paths.
///
/// An exact part goes before a variable, and a variable before a greedy one. The resource is chosen by its path alone:
/// if it lacks the request's method, no other resource answers in its place.
#[derive(Debug, Default)]
pub(super) struct Routes(Node);

#[derive(Debug, Default)]
struct Node {
    resource: Option<Resource>,
    exact: BTreeMap<String, Node>,
    variable: Option<(String, Box<Node>)>,
    greedy: Option<(String, Resource)>,
}

impl Routes {
    /// Adds a resource.
    ///
    /// # Errors
    ///
    /// The rule that the path breaks.
    pub(super) fn add(&mut self, resource: Resource) -> Result<(), String> {
        let path = resource.path.clone();
        let Some(rest) = path.strip_prefix('/') else {
            return Err("a path begins with /".to_owned());
        };
        let parts: Vec<&str> = rest.split('/').filter(|_| !rest.is_empty()).collect();
        self.0.add(&parts, resource)
    }

    /// The most specific resource for a path. A slash at the end makes no difference.
    pub(super) fn find(&self, path: &str) -> Option<Found<'_>> {
        let path = path.trim_matches('/');
        let parts: Vec<&str> = path.split('/').filter(|_| !path.is_empty()).collect();
        let mut parameters = vec![];
        let resource = self.0.find(&parts, &mut parameters)?;
        Some(Found {
            resource,
            parameters,
        })
    }

    /// All paths with their methods.
    pub(super) fn list(&self) -> Vec<RouteInfo> {
        let mut routes = vec![];
        self.0.list(&mut routes);
        routes.sort_by(|one, other| (&one.path, &one.method).cmp(&(&other.path, &other.method)));
        routes
    }
}

impl Node {
    fn add(&mut self, parts: &[&str], resource: Resource) -> Result<(), String> {
        let Some((part, rest)) = parts.split_first() else {
            self.resource = Some(resource);
            return Ok(());
        };
        match Part::read(part)? {
            Part::Exact => self.child(part).add(rest, resource),
            Part::Variable(name) => self.variable_child(name)?.add(rest, resource),
            Part::Greedy(_) if !rest.is_empty() => Err(format!("{part} must be the last part")),
            Part::Greedy(name) => {
                self.greedy = Some((name.to_owned(), resource));
                Ok(())
            }
        }
    }

    fn child(&mut self, part: &str) -> &mut Self {
        self.exact.entry(part.to_owned()).or_default()
    }

    fn variable_child(&mut self, name: &str) -> Result<&mut Self, String> {
        let (known, node) = self
            .variable
            .get_or_insert_with(|| (name.to_owned(), Box::default()));
        if known == name {
            Ok(node)
        } else {
            Err(format!(
                "a sibling ({{{known}}}) already has a variable path part -- only one is allowed"
            ))
        }
    }

    fn find<'a>(
        &'a self,
        parts: &[&str],
        parameters: &mut Vec<(&'a str, String)>,
    ) -> Option<&'a Resource> {
        let Some((part, rest)) = parts.split_first() else {
            return self.resource.as_ref();
        };
        let exact = self.exact.get(*part);
        exact
            .and_then(|node| node.find(rest, parameters))
            .or_else(|| self.find_variable(part, rest, parameters))
            .or_else(|| self.find_greedy(parts, parameters))
    }

    fn find_variable<'a>(
        &'a self,
        part: &str,
        rest: &[&str],
        parameters: &mut Vec<(&'a str, String)>,
    ) -> Option<&'a Resource> {
        let (name, node) = self.variable.as_ref().filter(|_| !part.is_empty())?;
        let before = parameters.len();
        parameters.push((name, part.to_owned()));
        let found = node.find(rest, parameters);
        if found.is_none() {
            parameters.truncate(before);
        }
        found
    }

    fn find_greedy<'a>(
        &'a self,
        parts: &[&str],
        parameters: &mut Vec<(&'a str, String)>,
    ) -> Option<&'a Resource> {
        let (name, resource) = self.greedy.as_ref()?;
        parameters.push((name, parts.join("/")));
        Some(resource)
    }

    fn list(&self, routes: &mut Vec<RouteInfo>) {
        let greedy = self.greedy.iter().map(|(_, resource)| resource);
        for resource in self.resource.iter().chain(greedy) {
            routes.extend(resource.methods.keys().map(|method| RouteInfo {
                method: method.clone(),
                path: resource.path.clone(),
            }));
        }
        let variable = self.variable.iter().map(|(_, node)| &**node);
        for node in self.exact.values().chain(variable) {
            node.list(routes);
        }
    }
}

/// A part of a defined path.
enum Part<'a> {
    Exact,
    Variable(&'a str),
    Greedy(&'a str),
}

impl<'a> Part<'a> {
    fn read(part: &'a str) -> Result<Self, String> {
        let braced = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        let (name, read) = match braced.map(|name| (name, name.strip_suffix('+'))) {
            None => (part, Self::Exact),
            Some((_, Some(name))) => (name, Self::Greedy(name)),
            Some((name, None)) => (name, Self::Variable(name)),
        };
        if name.is_empty() || name.contains(['{', '}', '+']) {
            return Err(format!(
                "the part {part:?} is neither a text nor a variable in braces"
            ));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(paths: &[&str]) -> Routes {
        let mut routes = Routes::default();
        for path in paths {
            let resource = Resource::new(path, "r".to_owned(), BTreeMap::new());
            routes.add(resource).unwrap();
        }
        routes
    }

    #[test]
    fn the_most_specific_path_answers() {
        let routes = routes(&[
            "/",
            "/orders",
            "/orders/new",
            "/orders/{id}",
            "/orders/{id}/lines/{line}",
            "/orders/{proxy+}",
            "/{any+}",
        ]);
        let cases = [
            ("/", "/", ""),
            ("/orders/", "/orders", ""),
            ("/orders/new", "/orders/new", ""),
            ("/orders/a%2Fb", "/orders/{id}", "id=a%2Fb"),
            (
                "/orders/1/lines/2",
                "/orders/{id}/lines/{line}",
                "id=1 line=2",
            ),
            ("/orders/1/lines", "/orders/{proxy+}", "proxy=1/lines"),
            ("/orders/new/x/", "/orders/{proxy+}", "proxy=new/x"),
            ("/orders//lines/2", "/orders/{proxy+}", "proxy=/lines/2"),
            ("/other", "/{any+}", "any=other"),
        ];
        for (path, resource, parameters) in cases {
            let found = routes.find(path).expect(path);
            assert_eq!(found.resource.path, resource, "{path}");
            let pairs = found.parameters.iter();
            let pairs: Vec<String> = pairs
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(pairs.join(" "), parameters, "{path}");
        }
    }

    #[test]
    fn paths_that_api_gateway_refuses_are_refused() {
        let mut routes = routes(&["/orders/{id}"]);
        for path in [
            "orders",
            "/a/{b+}/c",
            "/a/x{b}",
            "/a//b",
            "/orders/{other}/x",
            "/{}",
        ] {
            let resource = Resource::new(path, "r".to_owned(), BTreeMap::new());
            assert!(routes.add(resource).is_err(), "{path}");
        }
    }
}
