//! SAM's globals: what every resource of a kind has, unless it says otherwise.
//! <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>

use super::node::{Node, Value};

/// Maps are merged key by key, lists stand one after the other (the global one first), anything else is the
/// resource's own.
pub(super) fn merge(global: &Node, own: Node) -> Node {
    let value = match (&global.value, own.value) {
        (Value::Map(global), Value::Map(mut own)) => {
            for entry in global {
                match own.iter_mut().find(|candidate| candidate.key == entry.key) {
                    Some(mine) => mine.node = merge(&entry.node, mine.node.clone()),
                    None => own.push(entry.clone()),
                }
            }
            Value::Map(own)
        }
        (Value::List(global), Value::List(own)) => {
            Value::List(global.iter().cloned().chain(own).collect())
        }
        (_, own) => own,
    };
    Node { place: own.place, value }
}
