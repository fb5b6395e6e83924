//! `narrate` on AWS Lambda.

fn main() {}
