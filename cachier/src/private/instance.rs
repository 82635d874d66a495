//! One annotated function in one context, with its store.

use cachier_metrics::Tier;

use crate::driver::{Core, DriveBlocking};
use crate::function::Function;
use crate::registered::SiteId;

/// One annotated function in one context, with its store.
pub struct Instance<S: StoreKind> {
    pub(crate) core: Core<S::Store>,
    pub(crate) near: S::NearTier,
    pub(crate) site: SiteId,
}

/// The kind of a function's store: the driver's store, and the near tier in front of it.
#[diagnostic::on_unimplemented(
    message = "the function cannot be cached as it is",
    label = "another error says which of its types is unfit"
)]
pub trait StoreKind: Send + Sync + Sized + 'static {
    /// The driver's store.
    type Store: DriveBlocking;
    /// The tier that a call looks at first.
    type NearTier: NearTier;
    /// Whether that is a tier of its own, in front of a persistent backend.
    const HAS_NEAR_TIER: bool = false;
    /// The tier of a value found there.
    const TIER: Tier = match Self::HAS_NEAR_TIER {
        true => Tier::Near,
        false => Tier::Backend,
    };

    fn open(function: &Function) -> (Self::NearTier, Self::Store);
    /// Connects the two, before the first call.
    fn connect(_: &'static Instance<Self>) {}
}

/// The tier that a call looks at before the driver.
pub trait NearTier: Send + Sync + 'static {
    /// Clears the tier.
    fn forget_all(&self) {}
    /// How many entries the tier holds; `None` if it is not one of its own.
    fn entries(&self) -> Option<u64> {
        None
    }
}

impl NearTier for () {}
