//! Labels of metrics for the enums of backends and decisions.

use cachier_backends::{ErrorKind, Operation};
use cachier_metrics::{ComputeResult, ErrorLabel};

use crate::decision::ResultKind;

pub(crate) fn operation(operation: Operation) -> cachier_metrics::Operation {
    match operation {
        Operation::Store => cachier_metrics::Operation::Store,
        Operation::Remove => cachier_metrics::Operation::Remove,
        Operation::Clear => cachier_metrics::Operation::Clear,
        Operation::Lease => cachier_metrics::Operation::Lease,
        // The enum may grow; an unknown operation most likely reads.
        _ => cachier_metrics::Operation::Load,
    }
}

pub(crate) fn result(kind: ResultKind) -> ComputeResult {
    match kind {
        ResultKind::Storable | ResultKind::Unstorable => ComputeResult::Value,
        ResultKind::Failed => ComputeResult::Error,
    }
}

pub(crate) fn error(kind: ErrorKind) -> ErrorLabel {
    match kind {
        ErrorKind::Connect => ErrorLabel::Connect,
        ErrorKind::Timeout => ErrorLabel::Timeout,
        ErrorKind::Protocol => ErrorLabel::Protocol,
        ErrorKind::Codec => ErrorLabel::Codec,
        ErrorKind::Corrupt => ErrorLabel::Corrupt,
        ErrorKind::Full => ErrorLabel::Full,
        ErrorKind::Denied => ErrorLabel::Denied,
        ErrorKind::BreakerOpen => ErrorLabel::BreakerOpen,
        ErrorKind::Identity => ErrorLabel::Identity,
        ErrorKind::NotRegistered => ErrorLabel::NotRegistered,
        ErrorKind::Unfaithful => ErrorLabel::Unfaithful,
        // The enum may grow; an unknown failure counts as I/O.
        _ => ErrorLabel::Io,
    }
}
