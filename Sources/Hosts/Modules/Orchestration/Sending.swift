import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdWasmiot

/// Sends devices what they are to have.
extension Orchestrator {
    /// - Parameter time: for the device to fetch what it is to have; nil for that of the options.
    func send(
        _ node: Document, to device: Device, within time: Duration? = nil, on loop: EventLoop
    ) async -> Result<DeviceAnswer, any Error> {
        do {
            if device.isOrchestrator {
                try await datalist.begin(node["deploymentId"]?.stringValue ?? "")
                return .success(
                    DeviceAnswer(
                        status: .ok, reason: "OK", fields: Fields(),
                        bytes: Array(#"{"status":"ok"}"#.utf8)))
            }
            guard let url = device.url else {
                throw Failure(.internalServerError, "the device has no address")
            }
            return .success(
                try await client(loop, time ?? options.deployTimeout).post(
                    "\(url)/deploy", json: node))
        } catch {
            return .failure(error)
        }
    }

    /// Sends the nodes of active deployments again that have a module whose files have changed. What
    /// fails is noted in the deployment, and tried again with the checks of devices.
    func announce(_ module: ObjectID, on loop: EventLoop) async {
        let text = module.description
        for entry in deployments.all() where entry.document["active"] == .boolean(true) {
            var failures: [String] = []
            for member in entry.document["fullManifest"]?.objectValue ?? [] {
                let has = member.value["modules"]?.arrayValue?.contains {
                    $0["id"]?.stringValue == text
                }
                guard has == true, let device = ObjectID(member.name).flatMap({ devices[$0] }),
                    !device.isOrchestrator
                else { continue }
                switch await send(member.value, to: device, on: loop) {
                case .success(let answer) where answer.status.code < 400: break
                case .success(let answer):
                    failures.append("device '\(device.name)' answered \(answer.status.code)")
                case .failure(let error): failures.append("device '\(device.name)': \(error)")
                }
            }
            guard !failures.isEmpty else { continue }
            await note(failures.joined(separator: "; "), in: entry, on: loop)
        }
    }

    /// Notes that a deployment is not on its devices as it should be; nil if it is.
    func note(_ error: String?, in entry: Collection.Entry, on loop: EventLoop) async {
        if let error { options.report("deployment '\(entry.name ?? "")': \(error)") }
        guard error != nil || entry.document["deployError"] != nil else { return }
        do {
            try await deployments.update(entry.id, on: loop) { document in
                document.set("deployError", error.map { .string($0) })
                return .none
            }
        } catch {
            options.report("deployment '\(entry.name ?? "")': \(error)")
        }
    }
}
