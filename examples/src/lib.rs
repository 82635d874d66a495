//! Runnable programs that show cachier at work.
