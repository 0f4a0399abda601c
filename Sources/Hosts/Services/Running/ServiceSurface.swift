import WasmdDocuments
import WasmdGuests
import WasmdHTTP
import WasmdOperation

/// `/admin/services`: for operators with the scope `admin`.
public enum ServiceSurface {
    public static func make(_ host: ServiceHost) -> RoutedSurface {
        let handlers: [String: RoutedSurface.Handler] = [
            "services": { request in
                try await request.respond(
                    .object([.init("services", .array(host.services.map(document)))]))
            },
            "restartService": { request in
                let service = try find(request, host)
                service.restart()
                try await request.respond(document(service))
            },
            "serviceLog": { request in
                let service = try find(request, host)
                let count = try request.number("recent", in: 0...1000) ?? 100
                let after = try request.number("after", in: 0...Int.max) ?? 0
                let (lines, last) =
                    service.definition.log?.last(count, after: UInt64(clamping: after)) ?? ([], 0)
                try await request.respond(
                    .object([
                        .init(
                            "lines",
                            .array(
                                lines.map { line in
                                    .object([
                                        .init(
                                            "time",
                                            .string(
                                                "\(Timestamp(nanoseconds: line.time))")),
                                        .init("text", .string(HarmlessText.text(line.bytes))),
                                        .init("number", number(line.number)),
                                    ])
                                })), .init("last", number(last)),
                    ]))
            },
        ]
        let rows = api.operations.compactMap { operation in
            handlers[operation.name].map { RoutedSurface.Row(operation, $0) }
        }
        return RoutedSurface("services", rows)
    }

    private static func find(
        _ request: RoutedRequest, _ host: ServiceHost
    ) throws(APIFailure) -> Service {
        let name = request.text("service")
        guard let service = host.service(name) else {
            throw APIFailure(
                .notFound, "there is no service '\(name)': 'wasmd services list' has their names")
        }
        return service
    }

    private static func document(_ service: Service) -> Document {
        let status = service.status
        var members: [Document.Member] = [
            .init("name", .string(status.name)), .init("state", .string(status.state.name)),
            .init("starts", number(status.starts)), .init("failures", number(status.failures)),
            .init("requests", number(status.requests)),
            .init("refused_requests", number(status.refusedRequests)),
        ]
        if let time = status.startTime {
            members.append(.init("started", .string("\(Timestamp(nanoseconds: time))")))
        }
        if let outcome = status.outcome {
            // A trap has a line for each function that was running.
            let lines = outcome.utf8.split(separator: 0x0a).prefix(100)
                .map { HarmlessText.text($0.prefix(1000)) }
            members.append(.init("outcome", .string(lines.joined(separator: "\n"))))
        }
        if let time = status.nextStart {
            members.append(
                .init("next_start", .string("\(Timestamp(nanoseconds: time * 1_000_000_000))")))
        }
        return .object(members)
    }

    private static func number(_ count: UInt64) -> Document { .integer(Int64(clamping: count)) }

    private static let name = APIOperation.Parameter(
        "service", .path, .text, "The name of a service.", isRequired: true)

    public static let api = APITable(
        "services", "Modules that run as services.",
        [
            APIOperation(.get, "/admin/services", "services", "All services.", needs: .admin)
                .answering(.init(200, "Services.", .json("Services"))),
            APIOperation(
                .post, "/admin/services/{service}/restart", "restartService",
                "Ends the module if it runs, and starts it again.", needs: .admin
            ).with(name).answering(
                .init(200, "The service.", .json("Service")), .init(404, "There is none.")),
            APIOperation(
                .get, "/admin/services/{service}/log", "serviceLog",
                "The last lines that a service has said.", needs: .admin
            ).with(
                name,
                .init("recent", .query, .number(0...1000), "How many, at most 1000; default 100."),
                .init(
                    "after", .query, .number(0...Int.max),
                    "Only lines with a higher number; default 0.")
            ).answering(
                .init(200, "Lines.", .json("ServiceLines")), .init(404, "There is none.")),
        ], schemas: schemas)

    private static let integer = APISchema.type("integer")
    private static let text = APISchema.type("string")

    private static let schemas: [Document.Member] = [
        .init(
            "Service",
            APISchema.object([
                "name": text, "state": text, "starts": integer, "failures": integer,
                "requests": integer, "refused_requests": integer, "started?": text,
                "outcome?": text, "next_start?": text,
            ])),
        .init(
            "Services",
            APISchema.object(["services": APISchema.array(APISchema.reference("Service"))])),
        .init(
            "ServiceLines",
            APISchema.object([
                "lines": APISchema.array(
                    APISchema.object(["time": text, "text": text, "number": integer])),
                "last": integer,
            ])),
    ]
}

extension ServiceHost {
    /// Adds the families of metrics: to be called once.
    public func watch(_ registry: MetricRegistry) {
        func family(
            _ name: String, _ help: String, _ kind: MetricKind,
            _ read: @escaping @Sendable (ServiceStatus) -> Double
        ) {
            registry.collected(name, help, kind, labels: ["service"]) { [self] in
                services.map { MetricSample(read($0.status), $0.definition.name) }
            }
        }
        family("wasmd_service_up", "Whether the module runs and is ready.", .gauge) {
            $0.state == .ready ? 1 : 0
        }
        family("wasmd_service_starts_total", "Starts of the module.", .counter) {
            Double($0.starts)
        }
        family("wasmd_service_failures_total", "Runs that failed.", .counter) {
            Double($0.failures)
        }
        family("wasmd_service_requests_total", "HTTP requests that were sent.", .counter) {
            Double($0.requests)
        }
        family(
            "wasmd_service_refused_requests_total", "HTTP requests to hosts that are not allowed.",
            .counter
        ) { Double($0.refusedRequests) }
    }
}
