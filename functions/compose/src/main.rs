//! `compose` on AWS Lambda.

fn main() {}
