//! `tag` on AWS Lambda.

fn main() {}
