// Invariants: the guest is not running, so frames are as `BacktraceCapture` describes. Addresses of
// code and handler tables stay valid as long as the module, which the store's instances keep. The
// payload of an exception is on the value stack above the place it is moved to, or in an object.

import WasmMachine

/// The sites that were looked up last: recursion returns to few places, and a loop throws again and
/// again from the same.
final class UnwindingSites {
    private static let count = 64
    private var sites: [UnwindingSite?] = []

    /// - Parameter code: the instruction, or the last word of a call that is on the stack.
    @inline(__always)
    func site(of code: CodePointer, _ context: ContextPointer) -> UnwindingSite? {
        let place = Int(bitPattern: UInt(bitPattern: code) &>> 3 & UInt(Self.count &- 1))
        if place < sites.count, let known = sites[place], known.code == code { return known }
        return find(code, context, place)
    }

    @inline(never)
    private func find(
        _ code: CodePointer, _ context: ContextPointer, _ place: Int
    ) -> UnwindingSite? {
        if sites.isEmpty { sites = Array(repeating: nil, count: Self.count) }
        let found = InstanceStorage.of(context).module.code.site(of: code)
        if let found { sites[place] = found }
        return found
    }
}

/// Steps of a search that use one unit of budget.
private let stepsPerUnit = 64
/// Steps after which a stop is checked: some microseconds.
private let stepsAtOnce = 4096

extension Store {
    /// The result of throwing.
    enum Unwinding {
        /// The handler runs next: it is `exchange.place`, and has the payload.
        case caught
        /// No guest of this run catches it.
        case uncaught
        /// No room for what the handler needs, or the budget is used up.
        case trap(TrapCode)
    }

    /// Searches the frames from `exchange.place` outwards for a handler.
    ///
    /// - Parameter atCall: the guest is at a call of the host, it did not throw by itself.
    func unwind(_ exception: ThrownException, atCall: Bool) -> Unwinding {
        var code = exchange.pointee.code
        var next = exchange.pointee.place
        if atCall { code = code.map { $0 - 1 } }
        var steps = stepsPerUnit
        while let place = next, let here = code {
            guard let site = unwindingSites.site(of: here, place.context) else { break }
            do throws(GuestStop) {
                if site.region >= 0, let handlers = site.handlers {
                    if let clause = try clause(
                        handlers.takeUnretainedValue(), site.region, exception, place.context,
                        &steps)
                    {
                        try chargeSteps(&steps)
                        return try land(exception, clause, site, place)
                    }
                }
                steps &+= 1
                if steps >= stepsAtOnce { try chargeSteps(&steps) }
            } catch {
                return .trap(error.code)
            }
            next = place.caller(site.headerIndex)
            code = next.map { $0.code - 1 }
        }
        do throws(GuestStop) { try chargeSteps(&steps) } catch { return .trap(error.code) }
        return .uncaught
    }

    /// Takes units for the steps of a search from the budget.
    private func chargeSteps(_ steps: inout Int) throws(GuestStop) {
        let stop = steps >= stepsAtOnce ? stopRequest() : nil
        if let code = stop ?? charge(UInt64(steps / stepsPerUnit)) { throw GuestStop(code: code) }
        steps = 0
    }

    /// The first clause that matches, of the region or of those around it.
    private func clause(
        _ handlers: CatchTable, _ region: Int, _ exception: ThrownException,
        _ context: ContextPointer, _ steps: inout Int
    ) throws(GuestStop) -> CatchTable.Clause? {
        let tags = InstanceStorage.of(context).tags
        var region = region
        while region >= 0 {
            var (index, parent) = handlers.contents(of: region)
            while index >= 0 {
                let clause = handlers.clauses[index]
                let tag = Int(clause.tag)
                if tag < 0
                    || exception.tag.toOpaque() == Unmanaged.passUnretained(tags[tag]).toOpaque()
                {
                    return clause
                }
                steps &+= 1
                if steps >= stepsAtOnce { try chargeSteps(&steps) }
                index = Int(clause.next)
            }
            steps &+= 1
            if steps >= stepsAtOnce { try chargeSteps(&steps) }
            region = parent
        }
        return nil
    }

    private func land(
        _ exception: ThrownException, _ clause: CatchTable.Clause, _ site: UnwindingSite,
        _ place: GuestPlace
    ) throws(GuestStop) -> Unwinding {
        let frame = place.stack
        let tag = exception.tag.takeUnretainedValue()
        var reference = exception.reference
        if clause.reference >= 0, reference == 0 {
            reference = try makeException(
                tag, payload: exception.payload, isInterruptible: true)
        }
        // A clause that catches everything has no room for a payload: the header may be in its
        // place.
        if clause.tag >= 0 {
            (frame + Int(clause.payload)).update(from: exception.payload, count: tag.slotCount)
        }
        if clause.reference >= 0 { frame[Int(clause.reference)] = reference }
        exchange.pointee.code = site.start + Int(clause.target)
        exchange.pointee.stack = frame
        exchange.pointee.context = place.context
        return .caught
    }
}

// MARK: What the machine calls

extension Store {
    /// Throws from guest code at `exchange.place`. Returns 0 if it is caught; else the run ends
    /// with this code.
    fileprivate func raise(_ exception: ThrownException) -> UInt64 {
        let trap: TrapCode
        switch unwind(exception, atCall: false) {
        case .caught: return 0
        case .trap(let code): trap = code
        case .uncaught:
            var reference = exception.reference
            do throws(GuestStop) {
                if reference == 0 {
                    reference = try makeException(
                        exception.tag.takeUnretainedValue(), payload: exception.payload,
                        isInterruptible: true)
                }
            } catch {
                trap = error.code
                break
            }
            pendingError = Exception(
                store: self, reference: reference,
                backtrace: Backtrace(of: self, atCall: false))
            trap = .hostError
        }
        return UInt64(trap.rawValue)
    }

    /// After a host function threw: `landed` if it was an exception and a guest catches it; else
    /// the run ends with this code.
    func unwindHostError() -> UInt64 {
        guard let exception = pendingError as? Exception, exception.store === self else {
            return UInt64(TrapCode.hostError.rawValue)
        }
        switch unwind(ThrownException(reference: exception.reference), atCall: true) {
        case .caught:
            pendingError = nil
            return landed
        case .uncaught: return UInt64(TrapCode.hostError.rawValue)
        case .trap(let code):
            pendingError = nil
            return UInt64(code.rawValue)
        }
    }
}

/// `throw`: the payload is at `payload`. The budget is in `exchange.budget` meanwhile.
func runtimeThrow(_ cx: ContextPointer, _ tag: Int, _ payload: StackPointer) -> UInt64 {
    let instance = InstanceStorage.of(cx)
    return instance.store.raise(ThrownException(instance.tags[tag], payload: payload))
}

/// `throw_ref`: `reference` is not null.
func runtimeThrowReference(_ cx: ContextPointer, _ reference: UInt64) -> UInt64 {
    InstanceStorage.of(cx).store.raise(ThrownException(reference: reference))
}
