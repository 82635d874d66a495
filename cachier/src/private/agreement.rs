//! Whether the stored type of a return type is the one that the attribute has read off its tokens.
//!
//! Like [`returned`](super::returned) it asks for a method: that of [`Agreement`] is there where both are the same.

use std::marker::PhantomData;
use std::ops::Deref;

use super::fit::{Answer, Fit, Unfit};
use super::return_type::{ReturnType, Unkept};

/// A return type, if its stored type is this one.
pub struct Agreement<Stored, S>(Disagreement<Stored, S>);

/// A return type, whatever its stored type.
pub struct Disagreement<Stored, S> {
    return_type: S,
    stored: PhantomData<fn() -> Stored>,
}

/// What is asked for: the return type, as another place demands that it can be kept.
type Agreed<Stored, F, S> = Answer<Stored, F, Answer<Stored, F, S>>;

impl<T: ?Sized, F, S> Answer<T, F, S> {
    /// Asks whether a return type, which is checked elsewhere, has this stored type.
    pub fn stored_as<Stored>(self) -> Agreement<Stored, S> {
        Agreement(Disagreement {
            return_type: self.unchecked(),
            stored: PhantomData,
        })
    }
}

impl<Stored, S> Deref for Agreement<Stored, S> {
    type Target = Disagreement<Stored, S>;

    fn deref(&self) -> &Disagreement<Stored, S> {
        &self.0
    }
}

impl<Stored, S: ReturnType<Stored = Stored>> Agreement<Stored, S> {
    pub fn agreed(&self) -> Agreed<Stored, Fit, S> {
        Answer::new(Answer::new(self.0.return_type))
    }
}

impl<Stored, S: ReturnType> Disagreement<Stored, S> {
    pub fn agreed(&self) -> Agreed<Stored, Unfit, Unkept<S, Stored>> {
        Answer::new(Answer::new(Unkept::NEW))
    }
}
