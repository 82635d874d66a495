//! The server's clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

/// The time in a server's response, in whole seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerClock(Arc<Mutex<Option<DateTime>>>);

impl ServerClock {
    /// The time of the response; this machine's if it had none.
    pub(super) fn now(&self) -> DateTime {
        let time = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        time.unwrap_or_else(|| DateTime::from(SystemTime::now()))
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "cachier: the clock of the server"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
