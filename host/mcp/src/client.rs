//! A client for one server that runs as a child process: enough for a demonstration and for tests.
//!
//! Must not: be used to reach servers that are not trusted to run on this machine; the child is
//! started with this process's rights and environment.

use crate::lines::{Line, Lines};
use rmcp::RoleClient;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ContentBlock, JsonObject};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError, ServiceExt};
use rmcp::transport::TokioChildProcess;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::mpsc;

/// Longest line of the child's standard error that is passed on, in bytes; longer ones are dropped.
const STDERR_LINE_BYTES_MAX: usize = 65_536;
/// Time for the child to answer the first request, in milliseconds.
const CONNECT_MS_MAX: u64 = 10_000;

/// Where the child's standard error goes.
#[derive(Debug)]
pub enum ChildStderr {
    /// To this process's standard error.
    Inherit,
    /// Nowhere.
    Discard,
    /// Line by line to this channel. Lines that find it full are dropped, so that a slow reader never
    /// holds up the child.
    Lines(mpsc::Sender<String>),
}

/// Why no session with the child could be begun.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    /// The program could not be started.
    #[error("the server cannot be started: {0}")]
    Start(#[from] std::io::Error),
    /// It did not begin a session.
    #[error("the server did not begin a session")]
    Begin(#[source] Box<ClientInitializeError>),
    /// It did not answer in time.
    #[error("the server did not answer within {CONNECT_MS_MAX} ms")]
    Silent,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallFault {
    /// The server answered with a fault of the protocol, or is gone.
    #[error("the call has no answer: {0}")]
    Service(#[from] Box<ServiceError>),
    /// The arguments are no JSON object.
    #[error("arguments must be an object")]
    Arguments,
    /// The answer is of a kind that no tool here gives.
    #[error("an answer of an unknown kind")]
    Kind,
    /// The session's task failed.
    #[error("the session's task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// A tool's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// The structured content; null where there is none.
    pub structured: Value,
    /// Whether the tool calls it a fault.
    pub is_error: bool,
    /// The text blocks, one after the other.
    pub text: String,
}

/// A session with a child server.
#[derive(Debug)]
pub struct Client {
    session: RunningService<RoleClient, ()>,
}

/// Starts a server and begins a session. The child has this process's environment and `envs`.
///
/// # Errors
/// Each [`ConnectFault`]; a child that was started is ended.
pub async fn connect_child(
    program: &Path,
    args: &[String],
    envs: &[(String, String)],
    stderr: ChildStderr,
) -> Result<Client, ConnectFault> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(args)
        .envs(envs.iter().map(|(name, value)| (name, value)))
        .kill_on_drop(true);
    let stdio = match &stderr {
        ChildStderr::Inherit => Stdio::inherit(),
        ChildStderr::Discard => Stdio::null(),
        ChildStderr::Lines(_) => Stdio::piped(),
    };
    let (child, pipe) = TokioChildProcess::builder(command).stderr(stdio).spawn()?;
    if let (Some(pipe), ChildStderr::Lines(sender)) = (pipe, stderr) {
        tokio::spawn(pass_on(pipe, sender));
    }
    let time = Duration::from_millis(CONNECT_MS_MAX);
    match tokio::time::timeout(time, ().serve(child)).await {
        Ok(Ok(session)) => Ok(Client { session }),
        Ok(Err(fault)) => Err(ConnectFault::Begin(Box::new(fault))),
        Err(_) => Err(ConnectFault::Silent),
    }
}

/// Reads until the child closes its standard error, also when nobody takes the lines any more: a child
/// that blocks on a full pipe would not end.
async fn pass_on(pipe: tokio::process::ChildStderr, sender: mpsc::Sender<String>) {
    let mut lines = Lines::new(pipe, STDERR_LINE_BYTES_MAX);
    loop {
        match lines.next().await {
            Line::End => return,
            Line::TooLong { .. } => {}
            Line::Whole(line) => {
                let _ = sender.try_send(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
}

impl Client {
    /// The tools, as the server lists them.
    ///
    /// # Errors
    /// [`CallFault::Service`].
    pub async fn tools(&self) -> Result<Vec<Value>, CallFault> {
        let tools = self.session.list_all_tools().await.map_err(Box::new)?;
        Ok(tools
            .into_iter()
            .map(|tool| serde_json::json!(tool))
            .collect())
    }

    /// Calls a tool and waits for its answer. `arguments` is an object, or null for none.
    ///
    /// # Errors
    /// Each [`CallFault`] but [`CallFault::Task`].
    ///
    /// *Cancel*: the server is told that the call is taken back.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<ToolAnswer, CallFault> {
        let arguments: Option<JsonObject> = match arguments {
            Value::Null => None,
            Value::Object(arguments) => Some(arguments),
            _ => return Err(CallFault::Arguments),
        };
        let mut params = CallToolRequestParams::new(tool.to_owned());
        params.arguments = arguments;
        let response = self
            .session
            .peer()
            .call_tool_once(params)
            .await
            .map_err(Box::new)?;
        let CallToolResponse::Complete(result) = response else {
            return Err(CallFault::Kind);
        };
        let texts = result.content.iter().filter_map(ContentBlock::as_text);
        let texts: Vec<&str> = texts.map(|block| block.text.as_str()).collect();
        Ok(ToolAnswer {
            text: texts.join("\n"),
            structured: result.structured_content.unwrap_or_default(),
            is_error: result.is_error.unwrap_or_default(),
        })
    }

    /// Ends the session: closes the child's input and waits for it to exit, then ends it by force.
    ///
    /// # Errors
    /// [`CallFault::Task`].
    pub async fn close(self) -> Result<(), CallFault> {
        self.session.cancel().await?;
        Ok(())
    }
}
