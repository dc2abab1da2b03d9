//! DynamoDB: `dynoxide` behind the API, with transaction conflicts.
