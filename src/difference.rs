//! Where two settings differ.

use serde_json::Value;

/// The first place at which two JSON values differ: its key, below `key`, and both values. Objects with other keys differ as
/// a whole.
pub fn first_difference(key: &str, a: &Value, b: &Value) -> Option<(String, String, String)> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => a.iter().find_map(|(name, value)| {
            let dot = if key.is_empty() { "" } else { "." };
            first_difference(&format!("{key}{dot}{name}"), value, &b[name])
        }),
        _ if a == b => None,
        _ => Some((key.to_owned(), a.to_string(), b.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_place_is_told_with_both_values() {
        let (a, b) = (json!({ "x": 1, "y": { "z": [1, 2] } }), json!({ "x": 1, "y": { "z": [1, 3] } }));
        assert_eq!(first_difference("", &a, &b), Some(("y.z".into(), "[1,2]".into(), "[1,3]".into())));
        assert_eq!(first_difference("", &a, &a), None);
        let more = json!({ "x": 1, "y": {}, "w": 0 });
        assert_eq!(first_difference("train", &a, &more).unwrap().0, "train");
    }
}
