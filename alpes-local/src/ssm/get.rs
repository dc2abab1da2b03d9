//! Reading and deleting parameters.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ssm,
    names::{Named, parameter_arn},
    put::SECURE,
    rows::{self, Parameter},
};
use crate::{
    error::AwsError,
    input::{cut, fault, page_size, put, put_some, read, seconds, validation},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetMany {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetByPath {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Ssm {
    pub(super) fn get(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Get = read(input)?;
        let named = Named::parse(&request.name)?;
        let parameter = self.find(&named)?;
        let told = self.told(
            &parameter,
            named.selector.as_deref(),
            request.with_decryption,
        )?;
        Ok(json!({"Parameter": told}))
    }

    pub(super) fn get_many(&self, input: &Value) -> Result<Value, AwsError> {
        let request: GetMany = read(input)?;
        if !(1..=10).contains(&request.names.len()) {
            let rule = "have length from 1 to 10";
            return Err(fault("names", &format!("{:?}", request.names), rule));
        }
        let (mut found, mut invalid) = (vec![], vec![]);
        for name in &request.names {
            let named = Named::parse(name)?;
            match self.find(&named) {
                Ok(parameter) => found.push(self.told(
                    &parameter,
                    named.selector.as_deref(),
                    request.with_decryption,
                )?),
                Err(error) if error.status < 500 => invalid.push(name),
                Err(error) => return Err(error),
            }
        }
        Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
    }

    pub(super) fn get_by_path(&self, input: &Value) -> Result<Value, AwsError> {
        let request: GetByPath = read(input)?;
        if !request.path.starts_with('/') {
            return Err(validation(
                "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a \
                 forward slash \"/\".",
            ));
        }
        let page = page_size("maxResults", request.max_results, 1..=10)?;
        let path = format!("{}/", request.path.trim_end_matches('/'));
        let after = request.next_token.unwrap_or_default();
        let mut found = self.store.read(|connection| {
            rows::below(connection, &path, request.recursive, &after, page + 1)
        })?;
        let next = cut(&mut found, page, |last| last.name.clone());
        let told = found
            .iter()
            .map(|parameter| self.told(parameter, None, request.with_decryption));
        let told: Vec<_> = told.collect::<Result<_, _>>()?;
        let mut answer = json!({"Parameters": told});
        put_some(&mut answer, "NextToken", next);
        Ok(answer)
    }

    pub(super) fn delete(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Delete = read(input)?;
        let named = Named::parse(&request.name)?;
        if self
            .store
            .write(|transaction| rows::delete(transaction, &named.name))?
        {
            return Ok(json!({}));
        }
        Err(not_found(&named.name))
    }

    pub(super) fn describe(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Describe = read(input)?;
        let page = page_size("maxResults", request.max_results, 1..=50)?;
        let after = request.next_token.unwrap_or_default();
        let mut found = self
            .store
            .read(|connection| rows::all(connection, &after, page + 1))?;
        let next = cut(&mut found, page, |last| last.name.clone());
        let found: Vec<_> = found.iter().map(described).collect();
        let mut answer = json!({"Parameters": found});
        put_some(&mut answer, "NextToken", next);
        Ok(answer)
    }

    pub(super) fn find(&self, named: &Named) -> Result<Parameter, AwsError> {
        let newest = self
            .store
            .read(|connection| rows::newest(connection, &named.name))?;
        let newest = newest.ok_or_else(|| not_found(&named.name))?;
        let Some(version) = named.version else {
            return Ok(newest);
        };
        let found = self
            .store
            .read(|connection| rows::version(connection, &named.name, version))?;
        found.ok_or_else(|| {
            AwsError::client(
                "ParameterVersionNotFound",
                format!(
                    "Systems Manager could not find version {version} of {}. Verify the version and try again.",
                    named.name
                ),
            )
        })
    }

    fn told(
        &self,
        parameter: &Parameter,
        selector: Option<&str>,
        with_decryption: bool,
    ) -> Result<Value, AwsError> {
        let value = if parameter.kind == SECURE && with_decryption {
            self.opened(parameter)?
        } else {
            parameter.value.clone()
        };
        let mut told = common(parameter);
        put(&mut told, "Value", value);
        put_some(&mut told, "Selector", selector);
        Ok(told)
    }
}

/// The members that values and descriptions of a parameter share.
fn common(parameter: &Parameter) -> Value {
    json!({
        "Name": parameter.name,
        "ARN": parameter_arn(&parameter.name),
        "Type": parameter.kind,
        "Version": parameter.version,
        "LastModifiedDate": seconds(parameter.modified),
        "DataType": "text",
    })
}

fn described(parameter: &Parameter) -> Value {
    let mut described = common(parameter);
    put(&mut described, "Tier", parameter.tier.as_str());
    put(&mut described, "Policies", json!([]));
    put_some(&mut described, "KeyId", parameter.key.as_deref());
    let description = parameter.description.as_deref();
    put_some(&mut described, "Description", description);
    described
}

fn not_found(name: &str) -> AwsError {
    AwsError::client("ParameterNotFound", format!("Parameter {name} not found."))
}
