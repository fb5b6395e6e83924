//! `relay` on AWS Lambda.

fn main() {}
