import WasmInterpreter

/// The exports of an instance that a delivery calls, found once.
enum GuestFunctions {
    case first(
        prepare: TypedFunction<(UInt32) -> UInt32>, received: TypedFunction<() -> Void>)
    case second(
        allocate: TypedFunction<(UInt32) -> UInt32>, received: TypedFunction<(UInt32) -> Void>,
        run: Function?)
    case third(
        allocate: TypedFunction<(UInt32, UInt32, UInt32) -> UInt32>,
        run: TypedFunction<() -> Void>)

    /// Nil if the instance does not have them with the types of the interface.
    init?(_ interface: GuestInterface, _ instance: Instance) {
        func function<each Parameter: WasmValue, Result: WasmValue>(
            _ name: Name, _ type: ((repeat each Parameter) -> Result).Type
        ) -> TypedFunction<(repeat each Parameter) -> Result>? {
            try? instance.function(name)?.typed(as: type)
        }
        func action<each Parameter: WasmValue>(
            _ name: Name, _ type: ((repeat each Parameter) -> Void).Type
        ) -> TypedFunction<(repeat each Parameter) -> Void>? {
            try? instance.function(name)?.typed(as: type)
        }
        switch interface {
        case .first:
            guard
                let prepare = function(
                    GuestInterface.prepareInbox, ((UInt32) -> UInt32).self),
                let received = action(GuestInterface.inboxReceived, (() -> Void).self)
            else { return nil }
            self = .first(prepare: prepare, received: received)
        case .second:
            guard let allocate = function(GuestInterface.allocate, ((UInt32) -> UInt32).self),
                let received = action(GuestInterface.received, ((UInt32) -> Void).self)
            else { return nil }
            let run = instance.function(GuestInterface.run)
            let isCalled = run?.type.parameters.isEmpty ?? false
            self = .second(allocate: allocate, received: received, run: isCalled ? run : nil)
        case .third:
            guard
                let allocate = function(
                    GuestInterface.allocate, ((UInt32, UInt32, UInt32) -> UInt32).self),
                let run = action(GuestInterface.run, (() -> Void).self)
            else { return nil }
            self = .third(allocate: allocate, run: run)
        }
    }
}
