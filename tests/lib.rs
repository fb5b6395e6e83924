//! Holds nothing: the tests of this package are about the house as a whole.
