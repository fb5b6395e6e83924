//! `translate` on AWS Lambda.

fn main() {}
