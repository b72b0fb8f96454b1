//! Every reason why a text is refused, by name. The texts are stable: they are shown to callers,
//! journaled and tested. Must not: explain (the hint for a reason is chosen where refusals are worded).

/// Declares the reasons and the list of all of them together, so that neither can lack one.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        /// All reasons, in the order of this file.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

reasons! {
    /// More bytes than `COMMAND_BYTES_MAX`.
    TOO_LONG = "too_long";
    /// More simple commands than `SHELL_LEAVES_MAX`.
    TOO_MANY_COMMANDS = "too_many_commands";
    /// More words than `SHELL_WORDS_MAX` in a command or `SCRIPT_WORDS_MAX` in all.
    TOO_MANY_WORDS = "too_many_words";
    /// More redirections than `REDIRECTIONS_MAX` on one command.
    TOO_MANY_REDIRECTIONS = "too_many_redirections";
    /// More assignments than `ASSIGNMENTS_MAX` on one command.
    TOO_MANY_ASSIGNMENTS = "too_many_assignments";
    /// More here-documents than `HERE_DOCUMENTS_MAX`.
    TOO_MANY_HERE_DOCUMENTS = "too_many_here_documents";
    /// Loops that make more than `SHELL_LEAVES_MAX` commands.
    TOO_MANY_VALUES = "too_many_values";
    /// Values of loops, or commands in words, that make too much of a short text.
    TOO_MUCH_TEXT = "too_much_text";
    /// Deeper nesting than `SHELL_DEPTH_MAX`.
    TOO_DEEP = "too_deep";
    /// Nothing but blanks and comments.
    EMPTY_SCRIPT = "empty_script";

    /// A carriage return.
    CARRIAGE_RETURN = "carriage_return";
    /// A NUL.
    NUL = "nul";
    /// A control character other than line feed and tab.
    CONTROL_CHARACTER = "control_character";
    /// A character that hides or reorders text, or a blank that is not the ASCII one.
    HIDDEN_CHARACTER = "hidden_character";

    /// A `'` without its partner.
    UNTERMINATED_SINGLE_QUOTE = "unterminated_single_quote";
    /// A `"` without its partner.
    UNTERMINATED_DOUBLE_QUOTE = "unterminated_double_quote";
    /// A backslash at the very end.
    TRAILING_BACKSLASH = "trailing_backslash";
    /// A backslash before a newline that does not stand between two words.
    LINE_CONTINUATION = "line_continuation";

    /// `${x:-y}`, `$1`, `$?` and their like; anything but `$name` and `${name}`.
    VARIABLE_EXPANSION = "variable_expansion";
    /// A backtick.
    BACKTICK = "backtick";
    /// `$((…))` or `$[…]`.
    ARITHMETIC_EXPANSION = "arithmetic_expansion";
    /// `$'…'`.
    ANSI_C_QUOTING = "ansi_c_quoting";
    /// `$"…"`.
    LOCALE_QUOTING = "locale_quoting";
    /// A `$` before something that shells do not agree on.
    DOLLAR = "dollar";
    /// Quotes around nothing in a word with a bare expansion.
    EMPTY_QUOTES = "empty_quotes";
    /// `{a,b}` or `{1..3}`.
    BRACE_EXPANSION = "brace_expansion";
    /// A `~` that a shell would expand, but for `~` and `~/…` as an argument.
    TILDE_EXPANSION = "tilde_expansion";
    /// `?(…)`, `*(…)`, `+(…)`, `@(…)`, `!(…)`.
    EXTENDED_GLOB = "extended_glob";
    /// A `[` that opens no plain bracket expression.
    GLOB_BRACKET = "glob_bracket";
    /// A glob in an assignment, or in a `name=…` argument of a builtin that declares; only some shells expand it.
    GLOB_IN_ASSIGNMENT = "glob_in_assignment";

    /// A program word with an unquoted glob character.
    GLOB_PROGRAM = "glob_program";
    /// A program word whose text is decided on the host.
    DYNAMIC_PROGRAM = "dynamic_program";
    /// A program word outside ASCII.
    NON_ASCII_PROGRAM = "non_ascii_program";
    /// A program word with a tab or a newline in it.
    CONTROL_IN_PROGRAM = "control_in_program";
    /// A program word without any text.
    EMPTY_PROGRAM = "empty_program";
    /// An assignment that adds, has a subscript or a list, or whose name is none.
    ASSIGNMENT = "assignment";
    /// An unquoted reserved word where a program is expected.
    RESERVED_WORD = "reserved_word";
    /// `function name` or `name()`.
    FUNCTION_DEFINITION = "function_definition";
    /// `(( … ))`.
    ARITHMETIC_COMMAND = "arithmetic_command";
    /// A parenthesis after a word.
    UNEXPECTED_PARENTHESIS = "unexpected_parenthesis";

    /// A `(`, `{`, `$(` or keyword without what ends it.
    UNTERMINATED_COMMAND = "unterminated_command";
    /// A word after a compound command.
    UNEXPECTED_WORD = "unexpected_word";
    /// A `for` whose variable is none that a loop may use.
    LOOP_VARIABLE = "loop_variable";
    /// A bare use of a loop's variable that something else in the script may change.
    LOOP_VARIABLE_CHANGES = "loop_variable_changes";
    /// A `for` without `in`.
    LOOP_WITHOUT_IN = "loop_without_in";
    /// A `for` over nothing.
    LOOP_WITHOUT_VALUES = "loop_without_values";
    /// A `for` whose words are not followed by `do`.
    LOOP_WITHOUT_DO = "loop_without_do";

    /// An operator where a command is expected.
    MISSING_COMMAND = "missing_command";
    /// `&&`, `||`, `|` or `!` with nothing after it.
    TRAILING_OPERATOR = "trailing_operator";
    /// `;;`, `;&` or `;|`.
    CASE_TERMINATOR = "case_terminator";
    /// `|&`.
    PIPE_BOTH = "pipe_both";
    /// `! !`.
    DOUBLE_NEGATION = "double_negation";
    /// `a | ! b`.
    NEGATION_IN_PIPELINE = "negation_in_pipeline";

    /// A redirection whose target is decided on the host.
    DYNAMIC_TARGET = "dynamic_target";
    /// A redirection whose target has an unquoted glob character.
    GLOB_TARGET = "glob_target";
    /// A redirection to `/dev/tcp/…` or `/dev/udp/…`.
    REDIRECTION_TO_NETWORK = "redirection_to_network";
    /// A redirection with nothing after its operator.
    REDIRECTION_WITHOUT_TARGET = "redirection_without_target";
    /// Redirections without a program, with assignments or not.
    REDIRECTION_WITHOUT_COMMAND = "redirection_without_command";
    /// `>&-`.
    REDIRECTION_CLOSES = "redirection_closes";
    /// `<&3`.
    REDIRECTION_OF_INPUT = "redirection_of_input";
    /// `&>` or `>&file`, which only some shells know.
    REDIRECTION_OF_BOTH = "redirection_of_both";
    /// A descriptor that is not one digit: `12>`, `{name}>`.
    FILE_DESCRIPTOR = "file_descriptor";
    /// A here-document whose last line is missing.
    UNTERMINATED_HERE_DOCUMENT = "unterminated_here_document";
    /// A here-document whose delimiter is not a plain word.
    HERE_DOCUMENT_DELIMITER = "here_document_delimiter";
    /// A `$`, a backtick or a backslash in a here-document whose delimiter is not quoted.
    HERE_DOCUMENT_EXPANSION = "here_document_expansion";
    /// A here-document in `$(…)`, or on a line that ends inside a word.
    HERE_DOCUMENT_PLACE = "here_document_place";
    /// `<<<`.
    HERE_STRING = "here_string";
    /// `<(…)` or `>(…)`.
    PROCESS_SUBSTITUTION = "process_substitution";
}
