import WasmDecoder

/// Reads a script (`.wast`), one command after the other.
///
/// A module in the script is only looked at as far as its parentheses go; the command carries what
/// is needed to parse it. Cost of reading all: proportional to the length of the script.
public struct ScriptReader {
    /// Owns the bytes that `tokens` points to.
    let source: ModuleBytes
    var tokens: TokenCursor
    /// The line at `lineOffset`, from 1.
    private var line: Int
    private var lineOffset: Int
    /// Whether nothing was read yet; only then may the script be bare module fields.
    private var isAtStart: Bool

    /// A reader for a whole script.
    ///
    /// - Throws: `foreignFormat`, `malformedUTF8`, `textTooLarge`.
    public init(_ text: [UInt8]) throws(TextError) {
        try checkFormat(text)
        source = ModuleBytes(text)
        tokens = TokenCursor(try Lexer(UnsafeBufferPointer(start: source.base, count: text.count)))
        line = 1
        lineOffset = 0
        isAtStart = true
    }

    /// A reader for the commands in a part of a script that was checked to be UTF-8.
    init(_ source: ModuleBytes, _ range: Range<Int>, line: Int) {
        self.source = source
        tokens = TokenCursor(Lexer(checked: source, range))
        self.line = line
        lineOffset = range.lowerBound
        isAtStart = false
    }

    /// The next command, or nil at the end.
    ///
    /// - Throws: what is wrong with a command. The reader is then after its closing
    ///   parenthesis, or at the end if there is none.
    public mutating func nextCommand() throws(TextError) -> ScriptCommand? {
        let first: Token
        do {
            first = try tokens.next()
        } catch {
            tokens.skipAll()
            throw error
        }
        if first.kind == .end { return nil }
        defer { isAtStart = false }
        guard first.kind == .open else { throw tokens.unexpected(first, .command) }
        let line = line(of: first.start)
        do {
            let kind = try command(from: first)
            return ScriptCommand(kind: kind, range: first.start..<tokens.position, line: line)
        } catch {
            tokens.skipForm(at: first.start)
            throw error
        }
    }

    /// The line of a position after all for which it was asked before.
    private mutating func line(of offset: Int) -> Int {
        while lineOffset < offset {
            let byte = source.base[lineOffset]
            lineOffset += 1
            if byte == 0x0a || (byte == 0x0d && source.base[lineOffset] != 0x0a) { line += 1 }
        }
        return line
    }

    /// From after the opening parenthesis of a command to after the closing one.
    private mutating func command(from first: Token) throws(TextError) -> ScriptCommand.Kind {
        let head = try tokens.next()
        guard case .keyword(let keyword) = tokens.word(head) else {
            throw TextError(.unknownCommand, head.range)
        }
        if isAtStart, keyword.isModuleField { return .module(bareModule(from: first.start)) }
        let kind: ScriptCommand.Kind
        switch keyword {
        case .module: return try module(from: first.start)
        case .invoke, .get: return .action(try action(keyword))
        case .register:
            let name = try tokens.name()
            kind = .register(module: name, instance: try tokens.identifierIfPresent())
        case .assertReturn:
            let action = try action()
            kind = .assertReturn(action, try resultPatterns())
        case .assertTrap: kind = try assertTrap()
        case .assertExhaustion:
            let action = try action()
            kind = .assertExhaustion(action, message: try tokens.name())
        case .assertException: kind = .assertException(try action())
        case .assertInvalid:
            let module = try plainModule()
            kind = .assertInvalid(module, message: try tokens.name())
        case .assertMalformed:
            let module = try plainModule()
            kind = .assertMalformed(module, message: try tokens.name())
        case .assertInvalidCustom:
            let module = try plainModule()
            kind = .assertInvalidCustom(module, message: try tokens.name())
        case .assertMalformedCustom:
            let module = try plainModule()
            kind = .assertMalformedCustom(module, message: try tokens.name())
        case .assertUnlinkable:
            let instantiation = try instantiation()
            kind = .assertUnlinkable(instantiation, message: try tokens.name())
        case .thread: return .thread(try thread(from: first.start))
        case .wait: kind = .wait(thread: try tokens.identifier())
        default: throw TextError(.unknownCommand, head.range)
        }
        try tokens.expectClose()
        return kind
    }

    private mutating func assertTrap() throws(TextError) -> ScriptCommand.Kind {
        let open = try tokens.expectOpen(.action)
        let head = try tokens.next()
        if tokens.word(head) == .keyword(.module) {
            let instantiation = try instantiation(from: open.start)
            return .assertUninstantiable(instantiation, message: try tokens.name())
        }
        let action = try action(head)
        return .assertTrap(action, message: try tokens.name())
    }

    // MARK: Actions

    private mutating func action() throws(TextError) -> ScriptAction {
        _ = try tokens.expectOpen(.action)
        return try action(try tokens.next())
    }

    private mutating func action(_ head: Token) throws(TextError) -> ScriptAction {
        guard case .keyword(let keyword) = tokens.word(head), keyword == .invoke || keyword == .get
        else { throw tokens.unexpected(head, .action) }
        return try action(keyword)
    }

    /// The cursor is after `(invoke` or `(get`.
    private mutating func action(_ keyword: Keyword) throws(TextError) -> ScriptAction {
        let instance = try tokens.identifierIfPresent()
        let name = try tokens.name()
        guard keyword == .invoke else {
            try tokens.expectClose()
            return ScriptAction(instance: instance, name: name, kind: .get)
        }
        var arguments: [ScriptValue] = []
        while try !tokens.closeIfPresent() { arguments.append(try value()) }
        return ScriptAction(instance: instance, name: name, kind: .invoke(arguments))
    }

    // MARK: Modules

    /// The whole script, which starts at `start`, as one module.
    private mutating func bareModule(from start: Int) -> ScriptModule {
        tokens.skipAll()
        return ScriptModule(
            name: nil, isDefinition: false, form: .text(start..<source.count), source: source)
    }

    /// The cursor is after `(module`.
    private mutating func module(from start: Int) throws(TextError) -> ScriptCommand.Kind {
        switch try instantiation(from: start) {
        case .module(let module): return .module(module)
        case .instance(let instance): return .instance(instance)
        }
    }

    private mutating func instantiation() throws(TextError) -> ScriptInstantiation {
        let open = try tokens.expectOpen(.module)
        try expectModule()
        return try instantiation(from: open.start)
    }

    private mutating func plainModule() throws(TextError) -> ScriptModule {
        let open = try tokens.expectOpen(.module)
        try expectModule()
        return try moduleForm(from: open.start)
    }

    private mutating func expectModule() throws(TextError) {
        let head = try tokens.next()
        guard tokens.word(head) == .keyword(.module) else {
            throw tokens.unexpected(head, .module)
        }
    }

    /// The cursor is after `(module`.
    private mutating func instantiation(from start: Int) throws(TextError) -> ScriptInstantiation {
        guard try tokens.keywordIfPresent(.instance) else {
            return .module(try moduleForm(from: start))
        }
        let name = try tokens.identifierIfPresent()
        let module = try tokens.identifierIfPresent()
        try tokens.expectClose()
        return .instance(ScriptInstance(name: name, module: module))
    }

    private mutating func moduleForm(from start: Int) throws(TextError) -> ScriptModule {
        let isDefinition = try tokens.keywordIfPresent(.definition)
        let name = try tokens.identifierIfPresent()
        let form: ScriptModule.Form
        if try tokens.keywordIfPresent(.binary) {
            form = .binary(try tokens.stringsToClose())
        } else if try tokens.keywordIfPresent(.quote) {
            form = .quote(try tokens.stringsToClose())
        } else {
            try tokens.skipToClose(of: start)
            form = .text(start..<tokens.position)
        }
        return ScriptModule(name: name, isDefinition: isDefinition, form: form, source: source)
    }

    // MARK: Threads

    /// From after `(thread` to after the closing parenthesis.
    private mutating func thread(from start: Int) throws(TextError) -> ScriptThread {
        let name = try tokens.identifier()
        var shared: [[UInt8]] = []
        while try tokens.openIfPresent(.shared) {
            _ = try tokens.expectOpen(.module)
            try expectModule()
            shared.append(try tokens.identifier())
            try tokens.expectClose()
            try tokens.expectClose()
        }
        let bodyStart = tokens.position
        try tokens.skipToClose(of: start)
        return ScriptThread(
            name: name, shared: shared, source: source, body: bodyStart..<tokens.position - 1,
            bodyLine: line(of: bodyStart))
    }
}
