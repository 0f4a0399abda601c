import WasmDecoder

/// One command of a script.
///
/// Scripts are how the official test suite is written. Identifiers are the bytes they stand for,
/// without the dollar sign.
public struct ScriptCommand: Sendable {
    public enum Kind: Sendable {
        /// Define a module, and instantiate it unless `isDefinition`.
        case module(ScriptModule)
        /// `(module instance $instance? $module?)`: instantiate a module that was defined before.
        case instance(ScriptInstance)
        /// Make the exports of an instance (without a name: the latest) importable from `module`.
        case register(module: Name, instance: [UInt8]?)
        case action(ScriptAction)
        case assertReturn(ScriptAction, [ResultPattern])
        case assertTrap(ScriptAction, message: Name)
        /// Instantiating must trap.
        case assertUninstantiable(ScriptInstantiation, message: Name)
        case assertExhaustion(ScriptAction, message: Name)
        case assertException(ScriptAction)
        case assertInvalid(ScriptModule, message: Name)
        case assertMalformed(ScriptModule, message: Name)
        case assertUnlinkable(ScriptInstantiation, message: Name)
        case assertInvalidCustom(ScriptModule, message: Name)
        case assertMalformedCustom(ScriptModule, message: Name)
        case thread(ScriptThread)
        /// Wait for the end of a thread.
        case wait(thread: [UInt8])
    }

    public var kind: Kind
    /// The bytes of the script that the command is written in.
    public var range: Range<Int>
    /// The line that `range` starts in, from 1.
    public var line: Int
}

/// A function to call or a global to read, in an instance; without a name, in the latest one.
public struct ScriptAction: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case invoke([ScriptValue])
        case get
    }

    public var instance: [UInt8]?
    /// The name of the export.
    public var name: Name
    public var kind: Kind
}

/// Names an instance to make, and the module to make it of; without a name, of the latest one.
public struct ScriptInstance: Sendable, Hashable {
    public var name: [UInt8]?
    public var module: [UInt8]?
}

/// What an assertion about instantiation is about.
public enum ScriptInstantiation: Sendable {
    case module(ScriptModule)
    case instance(ScriptInstance)
}

/// `(thread $name (shared (module $m))* command*)`: commands for a thread with modules of its own.
public struct ScriptThread: Sendable {
    public var name: [UInt8]
    /// The instances of the surrounding script that the thread may use.
    public var shared: [[UInt8]]
    let source: ModuleBytes
    let body: Range<Int>
    let bodyLine: Int

    /// Reads the commands of the thread; positions are those of the whole script.
    public func reader() -> ScriptReader {
        ScriptReader(source, body, line: bodyLine)
    }
}
