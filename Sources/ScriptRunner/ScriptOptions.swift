import WasmInterpreter

/// How scripts are run.
public struct ScriptOptions: Sendable {
    /// The features that modules may use.
    public var features: Features = .default
    /// Translate all functions when a module is made, not each when it is first called.
    public var eagerTranslation = false
    /// Collect garbage whenever an object is made: finds objects that are freed too early.
    public var collectsAtEveryAllocation = false
    /// Give the canonical NaN where an operation may choose among several.
    public var canonicalizesNaNs = false
    /// Fuel of each command, in the units of `Store.fuel`; nil for no limit.
    public var fuel: UInt64?
    /// How long the guest may run in each command; nil for no limit.
    public var timeLimit: Duration?
    /// Receives the lines that the functions of module `spectest` print, on any thread; nil drops
    /// them.
    public var print: (@Sendable (String) -> Void)?

    public init() {}
}
