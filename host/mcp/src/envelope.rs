//! What one line of the client says: a request to take on, a call to take back, nothing, or something
//! that is answered here because it is no request at all.
//!
//! Notifications other than a cancellation, and responses, go no further: this server asks clients for
//! nothing, and a message that nobody waits for must not reach code that might trip over it.
//!
//! Must not: keep state, or write.

use crate::calls::Kind;
use crate::strict;
use crate::tools::ToolName;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
};
use serde_json::{Map, Value, json};

/// Longest text of a request id, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 256;
/// The byte order mark that some clients put before their first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Where a request of the newer protocol era names its version.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// Marks a call whose `arguments` are not an object. Carried beside the call, so that the answer is a
/// tool's answer and not a fault of the protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArgumentsNotAnObject;

/// How an answer that is made before the protocol library sees the request has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not a tool call: a fault of the protocol.
    Fault,
    /// A tool call of a session that began with `initialize`.
    LegacyCall,
    /// A tool call that carries its own protocol version.
    ModernCall,
}

/// A request to take on.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its id.
    pub(crate) id: RequestId,
    /// What it costs.
    pub(crate) kind: Kind,
    /// How it is answered if it is not taken on.
    pub(crate) shape: Shape,
    /// The whole of it.
    pub(crate) message: ClientJsonRpcMessage,
}

/// What a line says.
#[derive(Debug)]
pub(crate) enum Envelope {
    /// A request.
    Request(Box<Request>),
    /// The client takes a call back.
    Cancel(RequestId),
    /// Nothing that this server acts on.
    Nothing,
    /// No request: answered with this, under the id where one could be read.
    Malformed {
        /// The id, if it could be read.
        id: Option<RequestId>,
        /// The answer.
        error: ErrorData,
    },
}

/// Reads one line, without its line end.
pub(crate) fn read(line: &[u8]) -> Envelope {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    if line.trim_ascii().is_empty() {
        return Envelope::Nothing;
    }
    let Ok(value) = strict::parse(line) else {
        return malformed(
            None,
            ErrorCode::PARSE_ERROR,
            "expected one JSON object without duplicate keys in each line",
        );
    };
    let Value::Object(mut message) = value else {
        return malformed(
            None,
            ErrorCode::INVALID_REQUEST,
            "expected one JSON-RPC message in each line; batches are not supported",
        );
    };
    let Some(method) = message.get("method") else {
        // A response: nothing was asked.
        return Envelope::Nothing;
    };
    let method = method.as_str().unwrap_or_default().to_owned();
    match message.get("id") {
        None => notification(&method, &message),
        Some(id) => match request_id(id) {
            Some(id) => request(id, &method, &mut message),
            None => malformed(
                None,
                ErrorCode::INVALID_REQUEST,
                "expected an integer or a short text as request id",
            ),
        },
    }
}

fn malformed(id: Option<RequestId>, code: ErrorCode, text: &'static str) -> Envelope {
    let error = ErrorData::new(code, text, None);
    Envelope::Malformed { id, error }
}

fn request_id(id: &Value) -> Option<RequestId> {
    if id
        .as_str()
        .is_some_and(|id| id.len() > REQUEST_ID_BYTES_MAX)
    {
        return None;
    }
    serde_json::from_value(id.clone()).ok()
}

fn notification(method: &str, message: &Map<String, Value>) -> Envelope {
    if method != "notifications/cancelled" {
        return Envelope::Nothing;
    }
    message
        .get("params")
        .and_then(|params| params.get("requestId"))
        .and_then(request_id)
        .map_or(Envelope::Nothing, Envelope::Cancel)
}

fn request(id: RequestId, method: &str, message: &mut Map<String, Value>) -> Envelope {
    let modern = message
        .get("params")
        .and_then(|params| params.get("_meta"))
        .is_some_and(|meta| meta.get(VERSION_KEY).is_some());
    let (mut kind, mut shape, mut not_an_object) = (Kind::Read, Shape::Fault, None);
    match method {
        "initialize" | "server/discover" => kind = Kind::Handshake,
        "tools/call" => {
            shape = if modern {
                Shape::ModernCall
            } else {
                Shape::LegacyCall
            };
            match call(message) {
                Ok((name, fault)) => (kind, not_an_object) = (kind_of(&name), fault),
                Err(text) => return malformed(Some(id), ErrorCode::INVALID_PARAMS, text),
            }
        }
        _ => {}
    }
    let message = Value::Object(std::mem::take(message));
    let Ok(mut message) = serde_json::from_value::<ClientJsonRpcMessage>(message) else {
        return malformed(
            Some(id),
            ErrorCode::INVALID_REQUEST,
            "expected a JSON-RPC 2.0 request of the shape that its method has",
        );
    };
    let JsonRpcMessage::Request(inner) = &mut message else {
        return malformed(
            Some(id),
            ErrorCode::INVALID_REQUEST,
            "expected a request: an id and a method, without result or error",
        );
    };
    if let (Some(mark), ClientRequest::CallToolRequest(call)) = (not_an_object, &mut inner.request)
    {
        call.extensions.insert(mark);
    }
    let request = Request {
        id,
        kind,
        shape,
        message,
    };
    Envelope::Request(Box::new(request))
}

/// The called tool's name. Arguments of another type than an object are taken out and marked.
fn call(
    message: &mut Map<String, Value>,
) -> Result<(String, Option<ArgumentsNotAnObject>), &'static str> {
    let Some(params) = message.get_mut("params").and_then(Value::as_object_mut) else {
        return Err("tools/call: expected params, an object");
    };
    let Some(name) = params.get("name").and_then(Value::as_str) else {
        return Err("tools/call: expected params.name, a text");
    };
    let name = name.to_owned();
    let fits = params
        .get("arguments")
        .is_none_or(|arguments| arguments.is_object() || arguments.is_null());
    if fits {
        return Ok((name, None));
    }
    params.remove("arguments");
    Ok((name, Some(ArgumentsNotAnObject)))
}

fn kind_of(tool: &str) -> Kind {
    match ToolName::parse(tool) {
        Some(ToolName::Plan | ToolName::Run | ToolName::ReadOutput | ToolName::ReloadConfig) => {
            Kind::Work
        }
        Some(ToolName::Ping | ToolName::ListHosts | ToolName::DescribeHost) | None => Kind::Read,
    }
}

/// The answer to a request that is not taken on because too much is under way.
pub(crate) fn busy(id: &RequestId, shape: Shape) -> Value {
    let text = portcullis_core::answer::Fault::Busy.to_string();
    let mut result = match shape {
        Shape::Fault => {
            let data = json!({"code": "busy", "retryable": true});
            return json!({
                "jsonrpc": "2.0",
                "id": id,
                "error": {"code": BUSY_CODE, "message": text, "data": data},
            });
        }
        Shape::LegacyCall | Shape::ModernCall => crate::answers::busy(),
    };
    if shape == Shape::LegacyCall {
        result.result_type = None;
    }
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// The protocol fault for too much work, from the range that is free for servers to use.
const BUSY_CODE: i32 = -32010;

/// The answer to a request whose id is under way. It carries no id of its own: under the id it would
/// read as the answer to the first call, which is still running.
pub(crate) fn duplicate(id: &RequestId) -> Value {
    json!({
        "jsonrpc": "2.0",
        "error": {
            "code": ErrorCode::INVALID_REQUEST,
            "message": "a request of this id is under way; the second one was not taken on",
            "data": {"code": "duplicate_request_id", "id": id},
        },
    })
}

/// The answer to a line that is too long.
pub(crate) fn line_too_long(bytes: u64) -> Value {
    let bytes_max = portcullis_core::limits::MCP_LINE_BYTES_MAX;
    json!({
        "jsonrpc": "2.0",
        "error": {
            "code": ErrorCode::INVALID_REQUEST,
            "message": "a line was longer than the limit and was not read",
            "data": {"code": "line_too_long", "bytes": bytes, "bytes_max": bytes_max},
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn taken(line: &str) -> Request {
        match read(line.as_bytes()) {
            Envelope::Request(request) => *request,
            other => panic!("expected a request, got {other:?}"),
        }
    }

    fn code(line: &str) -> (Option<RequestId>, i32) {
        match read(line.as_bytes()) {
            Envelope::Malformed { id, error } => (id, error.code.0),
            other => panic!("expected a malformed line, got {other:?}"),
        }
    }

    fn call(name: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{name}"}}}}"#)
    }

    #[test]
    fn runs_plans_and_reloads_are_work_and_the_rest_is_not() {
        assert_eq!(taken(&call("ssh_run")).kind, Kind::Work);
        assert_eq!(taken(&call("ssh_plan")).kind, Kind::Work);
        assert_eq!(taken(&call("ssh_reload_config")).kind, Kind::Work);
        assert_eq!(taken(&call("ssh_ping")).kind, Kind::Read);
        assert_eq!(taken(&call("no_such_tool")).kind, Kind::Read);
        let line = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert_eq!(
            (taken(line).kind, taken(line).shape),
            (Kind::Read, Shape::Fault)
        );
    }

    #[test]
    fn a_line_that_is_no_request_is_answered_under_its_id_if_it_has_one() {
        let three = Some(RequestId::Number(3));
        assert_eq!(code("{nonsense"), (None, -32700));
        assert_eq!(code(r#"{"id":1,"id":2,"method":"ping"}"#), (None, -32700));
        assert_eq!(code("[]"), (None, -32600));
        assert_eq!(
            code(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#),
            (None, -32600)
        );
        assert_eq!(
            code(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#),
            (None, -32600)
        );
        assert_eq!(
            code(r#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#),
            (three.clone(), -32600)
        );
        let nameless = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{}}"#;
        assert_eq!(code(nameless), (three.clone(), -32602));
        assert_eq!(
            code(r#"{"jsonrpc":"2.0","id":3,"method":"tools/call"}"#),
            (three, -32602)
        );
    }

    #[test]
    fn an_id_may_be_as_long_as_the_bound_and_no_longer() {
        let line = |bytes: usize| {
            format!(
                r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#,
                "i".repeat(bytes)
            )
        };
        assert_eq!(taken(&line(REQUEST_ID_BYTES_MAX)).kind, Kind::Read);
        assert_eq!(code(&line(REQUEST_ID_BYTES_MAX + 1)), (None, -32600));
    }

    #[test]
    fn a_cancellation_names_its_call_and_other_notifications_say_nothing() {
        let cancel =
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;
        assert!(matches!(read(cancel), Envelope::Cancel(RequestId::String(id)) if &*id == "a"));
        for line in [
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            "",
            "  ",
        ] {
            assert!(matches!(read(line.as_bytes()), Envelope::Nothing), "{line}");
        }
    }

    #[test]
    fn arguments_of_another_type_are_marked_and_do_not_reach_a_tool() {
        let line = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"ssh_run","arguments":"x"}}"#;
        let JsonRpcMessage::Request(request) = taken(line).message else {
            panic!("expected a request");
        };
        let ClientRequest::CallToolRequest(call) = request.request else {
            panic!("expected a call");
        };
        assert!(call.extensions.get::<ArgumentsNotAnObject>().is_some());
        assert!(call.params.arguments.is_none());
    }

    #[test]
    fn busy_is_a_tool_answer_for_calls_and_a_protocol_fault_for_the_rest() {
        let id = RequestId::Number(9);
        let legacy = busy(&id, Shape::LegacyCall);
        assert_eq!(legacy.pointer("/result/isError").unwrap(), &json!(true));
        assert_eq!(
            legacy.pointer("/result/structuredContent/code").unwrap(),
            "busy"
        );
        assert_eq!(
            legacy
                .pointer("/result/structuredContent/retryable")
                .unwrap(),
            &json!(true)
        );
        assert!(legacy.pointer("/result/resultType").is_none());
        let modern = busy(&id, Shape::ModernCall);
        assert_eq!(modern.pointer("/result/resultType").unwrap(), "complete");
        let fault = busy(&id, Shape::Fault);
        assert_eq!(fault.pointer("/error/data/code").unwrap(), "busy");
        assert_eq!(fault.pointer("/id").unwrap(), &json!(9));
    }
}
