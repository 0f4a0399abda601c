import WasmInterpreter

/// The three generations of the interface between an instance and its host, found by the exports of
/// a module.
public enum GuestInterface: Sendable, Hashable {
    /// `prepare_inbox`, `message_received`; the import `send_message` returns with the answer.
    case first
    /// `_allocate_message(length)`, `_message_received`, optionally `_run`; answers are messages.
    case second
    /// `_allocate_message(handle, length, request)` and `_run`.
    case third

    /// Nil if the module exports none of them with the right types.
    public init?(_ module: Module) {
        func has(_ name: Name, _ parameters: Int, _ results: Int) -> Bool {
            guard let export = module.export(name), export.kind == .function,
                let type = module.parsed.functionType(at: export.index)
            else { return false }
            return type.parameters == Array(repeating: .i32, count: parameters)
                && type.results == Array(repeating: .i32, count: results)
        }
        if has(Self.allocate, 3, 1), has(Self.run, 0, 0) {
            self = .third
        } else if has(Self.allocate, 1, 1), has(Self.received, 1, 0) {
            self = .second
        } else if has(Self.prepareInbox, 1, 1), has(Self.inboxReceived, 0, 0) {
            self = .first
        } else {
            return nil
        }
    }

    static let prepareInbox: Name = "prepare_inbox"
    static let inboxReceived: Name = "message_received"
    static let allocate: Name = "_allocate_message"
    static let received: Name = "_message_received"
    static let run: Name = "_run"
    /// Called once in the life of an instance.
    static let start: Name = "_othismo_start"
    /// What WASI calls the same.
    static let initialize: Name = "_initialize"

    /// The module that guests import from.
    static let importModule: Name = "othismo"
}
