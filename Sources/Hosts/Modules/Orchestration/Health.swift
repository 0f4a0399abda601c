import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

/// Checks that devices are there, and asks new ones what they are.
extension Orchestrator {
    /// Begins to check all devices, and to advertise the orchestrator; until the loop ends.
    ///
    /// - Parameter address: where the server listens.
    public func start(port: UInt16, address: String, on loop: EventLoop) async throws {
        try await begin(port: port, address: address, on: loop)
        reportLeft()
        loop.spawn { [self] in await attendSchedules(on: loop) }
        loop.spawn { [self] in
            while !Task.isCancelled {
                await checkAll(on: loop)
                registry.trim()
                await collectUnused(on: loop)
                do {
                    try await loop.sleep(for: options.healthInterval)
                } catch { return }
            }
        }
    }

    /// Checks all devices once, some at a time.
    public func checkAll(on loop: EventLoop) async {
        var rest = devices.all()[...]
        while !rest.isEmpty, !Task.isCancelled {
            let tasks = rest.prefix(Self.checksAtOnce).map { device in
                loop.spawn { [self] in await check(device, on: loop) }
            }
            rest = rest.dropFirst(Self.checksAtOnce)
            for task in tasks { _ = await task.value }
        }
        if !Task.isCancelled { await mend(on: loop) }
    }

    /// Removes uploads that no document references.
    private func collectUnused(on loop: EventLoop) async {
        let blobs = store.blobs
        guard blobs.hasUnused else { return }
        do {
            _ = try await loop.blocking { blobs.collectUnused() }
        } catch {
            options.report("unused uploads are not removed: \(error)")
        }
    }

    private static let checksAtOnce = 64

    /// Asks a device for its description, if it is not known, and its health.
    func introduce(_ device: Device, on loop: EventLoop) async {
        for address in device.addresses {
            let path = "/.well-known/wasmiot-device-description"
            guard
                let answer = try? await client(loop, options.healthTimeout).send(
                    .get, device.url(address) + path, limit: DeviceClient.reportLimit),
                answer.status == .ok, let description = await answer.report(on: loop),
                description.objectValue != nil
            else { continue }
            await change(device.id, on: loop) { device in
                device.description = description
                device.addresses = [address] + device.addresses.filter { $0 != address }
            }
            break
        }
        if let known = devices[device.id] { await check(known, on: loop) }
    }

    /// Checks one device, and notes what that means for its status.
    private func check(_ device: Device, on loop: EventLoop) async {
        if device.isOrchestrator {
            let health = Self.health(.object([.init("status", "ok")]))
            await change(device.id, on: loop) { device in
                device.health = health
                device.passedChecks += 1
            }
            return
        }
        if device.isBlacklisted == true {
            guard device.status == .active else { return }
            await change(device.id, on: loop) { $0.note(.inactive, reason: "blacklisted") }
            return
        }
        if device.description == nil, device.failedChecks == 0 || device.passedChecks > 0 {
            // The description may be had now.
            await readDescription(device, on: loop)
        }
        if let report = await report(of: device, on: loop) {
            await passed(device, report, on: loop)
        } else if !Task.isCancelled {
            await failed(device, on: loop)
        }
    }

    /// Changes a device. If that cannot be stored, it holds until the process ends.
    private func change(
        _ id: ObjectID, on loop: EventLoop, _ change: @Sendable (inout Device) -> Void
    ) async {
        do {
            try await devices.update(id, on: loop, change)
        } catch {
            options.report("the state of a device is not stored: \(error)")
        }
    }

    private func readDescription(_ device: Device, on loop: EventLoop) async {
        guard let url = device.url,
            let answer = try? await client(loop, options.healthTimeout).send(
                .get, url + "/.well-known/wasmiot-device-description",
                limit: DeviceClient.reportLimit),
            answer.status == .ok, let description = await answer.report(on: loop),
            description.objectValue != nil
        else { return }
        await change(device.id, on: loop) { $0.description = description }
    }

    private static func health(_ report: Document) -> Document {
        .object([.init("report", report), .init("timeOfQuery", Clock.text)])
    }

    private func report(of device: Device, on loop: EventLoop) async -> Document? {
        let own = await ownURL(for: device, on: loop)
        let host =
            URL(Array(own.utf8)).map { String(decoding: $0.authority.hostBytes, as: UTF8.self) }
            ?? ""
        for address in device.addresses {
            guard
                let answer = try? await client(loop, options.healthTimeout).send(
                    .get, device.url(address) + "/health", .none, type: nil,
                    [("X-Forwarded-For", host)], limit: DeviceClient.healthLimit),
                answer.status == .ok
            else { continue }
            let isSet = answer.fields.first("custom-orchestrator-set")
            if isSet?.elementsEqual("true".utf8) != true {
                _ = try? await client(loop, options.healthTimeout).post(
                    device.url(address) + "/register",
                    json: .object([.init("url", .string(own))]))
            }
            let report = await answer.report(on: loop) ?? .null
            return report.heapSize <= DeviceClient.healthLimit ? report : .null
        }
        return nil
    }

    private func passed(_ device: Device, _ report: Document, on loop: EventLoop) async {
        let threshold = options.healthThreshold
        await change(device.id, on: loop) { device in
            device.health = Self.health(report)
            device.failedChecks = 0
            device.passedChecks += 1
            if device.status == .inactive, device.passedChecks >= threshold,
                device.isBlacklisted != true
            {
                device.note(.active)
            }
        }
    }

    private func failed(_ device: Device, on loop: EventLoop) async {
        let threshold = options.healthThreshold
        await change(device.id, on: loop) { device in
            device.health = Self.health(.null)
            device.passedChecks = 0
            device.failedChecks += 1
            if device.status == .active, device.failedChecks >= threshold {
                device.note(.inactive)
            }
        }
    }
}
