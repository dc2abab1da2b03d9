//! Templates: what they ask for, and the deployment.
