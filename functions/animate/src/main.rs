//! `animate` on AWS Lambda.

fn main() {}
