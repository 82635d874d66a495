//! One annotated function in one context, with its storage.

use cachier_metrics::Tier;

use crate::driver::{Core, DriveBlocking};
use crate::function::Function;

/// One annotated function in one context, with its storage.
pub struct Instance<S: StoreKind> {
    pub(crate) core: Core<S::Store>,
    pub(crate) near: S::NearTier,
}

/// Where the values of one function are kept: what the driver works with, and what stands in front of it.
#[diagnostic::on_unimplemented(
    message = "the function cannot be cached as it is",
    label = "another error says which of its types is unfit"
)]
pub trait StoreKind: Send + Sync + Sized + 'static {
    /// What the driver works with.
    type Store: DriveBlocking;
    /// What a call looks at before.
    type NearTier: NearTier;
    /// Whether that is a tier of its own, in front of a persistent backend.
    const HAS_NEAR_TIER: bool = false;
    /// Where a call finds what it looks at before.
    const TIER: Tier = match Self::HAS_NEAR_TIER {
        true => Tier::Near,
        false => Tier::Backend,
    };

    fn open(function: &Function) -> (Self::NearTier, Self::Store);
    /// Makes the two known to each other, before the first call.
    fn connect(_: &'static Instance<Self>) {}
}

/// What a call looks at before the driver is asked, as far as it is a tier of its own.
pub trait NearTier: Send + Sync + 'static {
    /// Empties the tier.
    fn forget_all(&self) {}
    /// How many entries the tier holds; `None` where there is none.
    fn entries(&self) -> Option<u64> {
        None
    }
}

impl NearTier for () {}
