//! What an ONNX file needs besides itself, read without loading it: files of external data and operator domains.
//!
//! ONNX files are Protocol Buffers; this walks the few fields of `onnx.proto` (IR 10) that can name either, in graphs,
//! subgraphs, attributes and local functions. It judges nothing else about a file.

use std::collections::BTreeSet;

/// Subgraphs deeper than this are refused, so that a hostile file cannot exhaust the stack.
const MAX_DEPTH: usize = 16;

/// What a graph needs besides its own file and the standard's operators.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Files of external data, as the graph names them: relative to its own folder.
    pub(super) external_data: BTreeSet<String>,
    /// Operator domains of its nodes, those of its own local functions left out.
    pub(super) domains: BTreeSet<String>,
}

/// Reads what the ONNX file with these bytes needs; a malformed file is an error in words.
pub(super) fn needs(model: &[u8]) -> Result<Needs, String> {
    let (mut needs, mut local, mut graphs) = (Needs::default(), BTreeSet::new(), 0);
    for field in Fields(model) {
        match field? {
            (7, Value::Bytes(graph)) => {
                graphs += 1;
                walk_graph(graph, &mut needs, 0)?;
            }
            // FunctionProto: nodes are field 7, the domain field 10, and attributes with their defaults field 11.
            (25, Value::Bytes(function)) => {
                for field in Fields(function) {
                    match field? {
                        (7, Value::Bytes(node)) => walk_node(node, &mut needs, 0)?,
                        (10, Value::Bytes(domain)) => drop(local.insert(text(domain)?)),
                        (11, Value::Bytes(attribute)) => walk_attribute(attribute, &mut needs, 0)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    if graphs == 0 {
        return Err("it holds no graph".into());
    }
    needs.domains.retain(|domain| !local.contains(domain));
    Ok(needs)
}

fn walk_graph(graph: &[u8], needs: &mut Needs, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("subgraphs lie more than {MAX_DEPTH} deep"));
    }
    for field in Fields(graph) {
        match field? {
            (1, Value::Bytes(node)) => walk_node(node, needs, depth)?,
            (5, Value::Bytes(tensor)) => walk_tensor(tensor, needs)?,
            (15, Value::Bytes(sparse)) => walk_sparse(sparse, needs)?,
            _ => {}
        }
    }
    Ok(())
}

fn walk_node(node: &[u8], needs: &mut Needs, depth: usize) -> Result<(), String> {
    let mut domain = String::new();
    for field in Fields(node) {
        match field? {
            (5, Value::Bytes(attribute)) => walk_attribute(attribute, needs, depth)?,
            (7, Value::Bytes(name)) => domain = text(name)?,
            _ => {}
        }
    }
    needs.domains.insert(domain);
    Ok(())
}

fn walk_attribute(attribute: &[u8], needs: &mut Needs, depth: usize) -> Result<(), String> {
    for field in Fields(attribute) {
        match field? {
            (5 | 10, Value::Bytes(tensor)) => walk_tensor(tensor, needs)?,
            (6 | 11, Value::Bytes(graph)) => walk_graph(graph, needs, depth + 1)?,
            (22 | 23, Value::Bytes(sparse)) => walk_sparse(sparse, needs)?,
            _ => {}
        }
    }
    Ok(())
}

fn walk_sparse(sparse: &[u8], needs: &mut Needs) -> Result<(), String> {
    for field in Fields(sparse) {
        if let (1 | 2, Value::Bytes(tensor)) = field? {
            walk_tensor(tensor, needs)?;
        }
    }
    Ok(())
}

fn walk_tensor(tensor: &[u8], needs: &mut Needs) -> Result<(), String> {
    for field in Fields(tensor) {
        if let (13, Value::Bytes(entry)) = field? {
            let (mut key, mut value) = (String::new(), String::new());
            for field in Fields(entry) {
                match field? {
                    (1, Value::Bytes(bytes)) => key = text(bytes)?,
                    (2, Value::Bytes(bytes)) => value = text(bytes)?,
                    _ => {}
                }
            }
            if key == "location" {
                needs.external_data.insert(value);
            }
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a name in it is not UTF-8".into())
}

/// One field's content; numbers are skipped.
enum Value<'a> {
    Number,
    Bytes(&'a [u8]),
}

/// The fields of one Protocol Buffers message, in the order they lie.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "it ends in the middle or is damaged".into()))
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => self.varint().map(|_| Value::Number)?,
            1 => self.take(8).map(|_| Value::Number)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Number)?,
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A length-delimited field, short enough for one-byte tags and lengths or two-byte tags.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let tag = (u32::from(number) << 3) | 2;
        let mut bytes = if tag < 128 { vec![tag as u8] } else { vec![(tag & 0x7f) as u8 | 0x80, (tag >> 7) as u8] };
        bytes.push(content.len() as u8);
        bytes.extend_from_slice(content);
        bytes
    }

    fn external(location: &str) -> Vec<u8> {
        field(13, &[field(1, b"location"), field(2, location.as_bytes())].concat())
    }

    #[test]
    fn external_data_is_found_in_initializers_attributes_and_subgraphs() {
        let inner = field(5, &external("inner.data"));
        let attribute = [field(5, &external("constant.data")), field(6, &inner)].concat();
        let node = [field(4, b"If"), field(5, &attribute)].concat();
        let graph = [field(1, &node), field(5, &external("weights.data"))].concat();
        let found = needs(&field(7, &graph)).unwrap();
        let names: Vec<_> = found.external_data.iter().map(String::as_str).collect();
        assert_eq!(names, ["constant.data", "inner.data", "weights.data"]);
    }

    #[test]
    fn foreign_domains_are_found_and_local_functions_are_not_foreign() {
        let graph = [field(1, &field(7, b"evil.ops")), field(1, &field(7, b"local"))].concat();
        let model = [field(7, &graph), field(25, &field(10, b"local"))].concat();
        assert_eq!(needs(&model).unwrap().domains.into_iter().collect::<Vec<_>>(), ["evil.ops"]);
    }

    #[test]
    fn what_a_local_function_takes_by_default_is_found() {
        let default = [field(5, &external("default.data")), field(6, &field(1, &field(7, b"evil.ops")))].concat();
        let model = [field(7, &[]), field(25, &[field(10, b"local"), field(11, &default)].concat())].concat();
        let Needs { external_data, domains } = needs(&model).unwrap();
        assert_eq!(external_data.into_iter().collect::<Vec<_>>(), ["default.data"]);
        assert_eq!(domains.into_iter().collect::<Vec<_>>(), ["evil.ops"]);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let graph = field(7, &field(5, &external("weights.data")));
        for end in 1..graph.len() {
            assert!(needs(&graph[..end]).is_err(), "cut at {end}");
        }
        assert!(needs(b"").is_err());
        assert!(needs(&[0xff; 32]).is_err());
    }

    #[test]
    fn endless_nesting_is_refused() {
        // Longer than one-byte lengths allow, so lengths are written as varints here.
        let mut graph = Vec::new();
        for _ in 0..40 {
            for number in [6_u8, 5, 1] {
                let mut outer = vec![number << 3 | 2];
                let mut length = graph.len();
                while length >= 128 {
                    outer.push(length as u8 | 0x80);
                    length >>= 7;
                }
                outer.push(length as u8);
                outer.extend_from_slice(&graph);
                graph = outer;
            }
        }
        let mut model = vec![7 << 3 | 2, (graph.len() & 0x7f) as u8 | 0x80, (graph.len() >> 7) as u8];
        model.extend_from_slice(&graph);
        assert!(needs(&model).unwrap_err().contains("deep"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0_usize..2048, bytes in proptest::collection::vec(0_u8.., 0..64)) {
            // Damage in a real graph reaches deeper than noise alone.
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/oracle/resampler.onnx");
            let mut model = std::fs::read(path).unwrap();
            let end = (at + bytes.len()).min(model.len());
            model.splice(at.min(end)..end, bytes.iter().copied());
            // Either answer is fine; a graph that was damaged may still be a graph.
            proptest::prop_assert!(needs(&model).map_or(true, |needs| needs.domains.len() < 100));
            proptest::prop_assert!(needs(&bytes).map_or(true, |needs| needs.domains.len() < 100));
        }
    }
}
