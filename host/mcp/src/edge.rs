//! Where the protocol ends and the gate begins: finds the tool, checks the arguments, says on whose
//! behalf, asks the gate, and shapes its answer.
//!
//! Must not: decide anything. A fault here answers as a fault; it never lets a call through.

use crate::answers::{self, Standing, Streams};
use crate::arguments::{ArgumentFault, Arguments};
use crate::calls::Calls;
use crate::envelope::ArgumentsNotAnObject;
use crate::gate::{Caller, Gate};
use crate::progress;
use crate::refusals::Refusals;
use crate::shapes::{PingShape, PongWord};
use crate::tools::{self, ToolName};
use futures::FutureExt;
use portcullis_core::answer::{Fault, PageRequest, Run};
use portcullis_core::audit::Door;
use portcullis_core::output::Stream;
use portcullis_core::request::Principal;
use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, CustomResult,
    ErrorCode, Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The server's side of a session.
pub(crate) struct Edge {
    gate: Arc<dyn Gate>,
    principal: Principal,
    calls: Arc<Calls>,
    refusals: Refusals,
    tools: Vec<Tool>,
}

impl Edge {
    pub(crate) fn new(
        gate: Arc<dyn Gate>,
        principal: Principal,
        calls: Arc<Calls>,
        refusals: Refusals,
    ) -> Self {
        Self {
            gate,
            principal,
            calls,
            refusals,
            tools: tools::all(),
        }
    }

    async fn answer(
        &self,
        tool: ToolName,
        mut arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let caller = Caller {
            principal: self.principal.clone(),
            door: Door::Mcp,
            request_id: Some(context.id.to_string()),
            stop: self.calls.stop_of(&context.id),
            progress: None,
        };
        match tool {
            ToolName::Ping => {
                self.gate.ping(caller).await;
                let shape = PingShape {
                    status: PongWord::Pong,
                };
                answers::shaped(&shape, Standing::Worked)
            }
            ToolName::ListHosts => {
                let hosts = self.gate.hosts(caller).await;
                answers::shaped(&answers::hosts(hosts), Standing::Worked)
            }
            ToolName::DescribeHost => {
                let found = self.gate.describe(caller, arguments.take("alias")).await;
                settle(found, |host| {
                    answers::shaped(&answers::host(host), Standing::Worked)
                })
            }
            ToolName::Plan => {
                let (alias, command) = (arguments.take("alias"), arguments.take("command"));
                let plan = self.gate.plan(caller, alias, command).await;
                settle(plan, |plan| {
                    answers::shaped(&answers::plan(plan), Standing::Worked)
                })
            }
            ToolName::Run => self.run(caller, arguments, context).await,
            ToolName::ReadOutput => {
                let stream = if arguments.take("stream") == tools::STREAM_STDERR {
                    Stream::Stderr
                } else {
                    Stream::Stdout
                };
                let task = arguments.take("task_id");
                let request = PageRequest {
                    task: task.clone(),
                    stream,
                    offset: arguments.take_count("offset"),
                    bytes: arguments.take_count("bytes"),
                };
                let page = self.gate.page(caller, request).await;
                settle(page, |page| {
                    answers::shaped(&answers::page(&task, stream, page), Standing::Worked)
                })
            }
            ToolName::ReloadConfig => answers::reload(self.gate.reload(caller).await),
        }
    }

    async fn run(
        &self,
        mut caller: Caller,
        mut arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let streams = if arguments.take("streams") == tools::STREAMS_SPLIT {
            Streams::Split
        } else {
            Streams::Joined
        };
        let (alias, command) = (arguments.take("alias"), arguments.take("command"));
        let run = match context.meta.get_progress_token() {
            None => self.gate.run(caller, alias, command).await,
            Some(token) => {
                let (sender, notes) = mpsc::channel(progress::NOTES_QUEUED_MAX);
                caller.progress = Some(sender);
                let stop = caller.stop.clone();
                let work = self.gate.run(caller, alias, command);
                progress::alongside(work, notes, context.peer, token, stop).await
            }
        };
        settle(run, |run| match run {
            Run::Denied(denied) => answers::shaped(&answers::denied(*denied), Standing::Worked),
            Run::Ran(ran) => {
                let (shape, standing) = answers::ran(*ran, streams);
                answers::shaped(&shape, standing)
            }
        })
    }
}

fn settle<T>(found: Result<T, Fault>, shape: impl FnOnce(T) -> CallToolResult) -> CallToolResult {
    match found {
        Ok(found) => shape(found),
        Err(fault) => answers::gate_fault(&fault),
    }
}

impl ServerHandler for Edge {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(
                Implementation::new("portcullis", env!("CARGO_PKG_VERSION"))
                    .with_title("Portcullis"),
            )
            .with_instructions(tools::INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.refusals.note("unknown_method", Some(&context.id));
        let code = ErrorCode::METHOD_NOT_FOUND;
        Err(ErrorData::new(code, request.method, None))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = ToolName::parse(&request.name) else {
            self.refusals.note("unknown_tool", Some(&context.id));
            return Err(ErrorData::invalid_params("unknown tool", None));
        };
        let arguments = if context.extensions.get::<ArgumentsNotAnObject>().is_some() {
            Err(ArgumentFault::NotAnObject)
        } else {
            Arguments::read(tool.parameters(), request.arguments)
        };
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(fault) => {
                self.refusals.note(fault.code(), Some(&context.id));
                return Ok(answers::fault(fault.code(), &fault.to_string()).into());
            }
        };
        // A gate that panics must not leave its caller waiting for ever; what it was doing is unknown.
        let answer = AssertUnwindSafe(self.answer(tool, arguments, context))
            .catch_unwind()
            .await;
        let result = answer.unwrap_or_else(|_| {
            tracing::error!("a call ended in a panic");
            answers::fault(
                "internal",
                "the call failed inside the gate; its outcome is unknown",
            )
        });
        Ok(result.into())
    }
}
