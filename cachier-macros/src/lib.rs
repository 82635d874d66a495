//! The #[cachier] attribute.
