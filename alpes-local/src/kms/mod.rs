//! KMS: keys that encrypt, decrypt and make data keys.
