//! Settings of the app.

words! {}
