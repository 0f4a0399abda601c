import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdWasmiot

/// Begins executions of active deployments whose schedule says so.
extension Orchestrator {
    /// Checks all schedules once. An execution that still runs is not begun a second time.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - last: when each deployment ran last, or was seen first.
    func runSchedules(
        _ now: Int64, _ last: inout [ObjectID: Int64], on loop: EventLoop
    ) {
        var seen: [ObjectID: Int64] = [:]
        for entry in deployments.all() where entry.document["active"] == .boolean(true) {
            guard let workflow = entry.document["workflow"],
                let document = workflow["schedule"], document != .null,
                let schedule = try? Schedule(document)
            else { continue }
            guard let time = last[entry.id] else {
                seen[entry.id] = now
                continue
            }
            seen[entry.id] = time
            guard schedule.isDue(now, last: time) else { continue }
            seen[entry.id] = now
            guard !executions.runsBySchedule(entry.id) else { continue }
            let body = UploadBody(kind: .none, document: workflow["arguments"] ?? .object([]))
            do {
                _ = try begin(entry, body, isScheduled: true, isKept: true, on: loop)
            } catch {
                options.report(
                    "'\(entry.name ?? "")' is due, and does not run: \(Failure(error).reason)")
            }
        }
        last = seen
    }

    /// Runs schedules until the loop ends.
    func attendSchedules(on loop: EventLoop) async {
        var last: [ObjectID: Int64] = [:]
        repeat {
            let now = Int64(clamping: SystemClock.realtime.now / 1_000_000_000)
            runSchedules(now, &last, on: loop)
        } while (try? await loop.sleep(for: .seconds(1))) != nil
    }
}
