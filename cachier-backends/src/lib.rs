//! The backend trait of cachier, its entry and key formats, and the backends themselves.
