import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdOperation

/// `[broker.bridges.NAME]`: a broker of MQTT that messages go to and come from.
struct BridgeSection: Sendable, Equatable {
    let name: String
    var host = Authority.Host.name([])
    var port: UInt16 = 1883
    /// Whether it is `mqtts`: MQTT over TLS.
    var isSecure = false
    var user: String?
    var password: String?
    /// A file with the password, whose last line end does not count.
    var passwordFile: Word?
    var client = ""
    var keepAlive = Duration.seconds(30)
    var isClean = false
    var quality: UInt8 = 1
    var out: [TopicPattern] = []
    var into: [TopicPattern] = []
    var localPrefix = ""
    var remotePrefix = ""
    var queue = 10_000
    var queueBytes = 64 << 20
    var whenFull = MQTTBridgeOptions.WhenFull.refuse
    var forwards = false
    var willTopic: TopicName?
    var willMessage = ""
    var retainsWill = false

    init(_ name: String, _ table: SettingsTable) {
        self.name = name
        client = "wasmd-" + name
        let url = table.text("url", expected: "mqtt://HOST or mqtts://HOST, with :PORT if needed") {
            text -> URL? in
            guard let url = URL(Array(text.utf8)),
                url.scheme == Array("mqtt".utf8) || url.scheme == Array("mqtts".utf8),
                url.userInformation == nil, url.path == Array("/".utf8), url.query == nil
            else { return nil }
            return url
        }
        if !table.has("url") { table.complain("url", "is missing") }
        if let url {
            host = url.authority.host
            isSecure = url.scheme == Array("mqtts".utf8)
            port = url.authority.port ?? (isSecure ? 8883 : 1883)
        }
        user = table.text("user", expected: "a name", Self.short)
        password = table.text("password", expected: "a text", Self.short)
        passwordFile = table.text("password_file", expected: "a file") {
            $0.isEmpty ? nil : Word($0)
        }
        if password != nil, passwordFile != nil {
            table.complain("password", "is named twice: here and in password_file")
        }
        if password != nil || passwordFile != nil, user == nil {
            table.complain("user", "is missing: a password belongs to a user")
        }
        client = table.text("client_id", expected: "a name", Self.short) ?? client
        keepAlive =
            table.text("keep_alive", expected: "a duration from 1s to 18h") { text in
                Quantity.nanoseconds(text).flatMap {
                    1_000_000_000...64_800_000_000_000 ~= $0 ? Duration.nanoseconds($0) : nil
                }
            } ?? keepAlive
        isClean = table.boolean("clean") ?? isClean
        quality = table.integer("qos", in: 0...1).map { UInt8(clamping: $0) } ?? quality
        readTopics(table)
        queue = table.integer("queue", in: 1...100_000_000).map { Int($0) } ?? queue
        queueBytes =
            table.bytes("queue_bytes").map { Int(clamping: min(max($0, 1), 1 << 40)) } ?? queueBytes
        whenFull =
            table.text("when_full", expected: "refuse or drop") {
                MQTTBridgeOptions.WhenFull(rawValue: $0)
            } ?? whenFull
        forwards = table.boolean("forward") ?? forwards
        willTopic = table.text("will_topic", expected: "a topic without spaces, + and #") {
            TopicName($0)
        }
        willMessage = table.text("will_message", expected: "a text", Self.short) ?? willMessage
        retainsWill = table.boolean("will_retain") ?? retainsWill
    }

    /// A text that MQTT can hold.
    private static func short(_ text: String) -> String? {
        text.utf8.count <= 0xffff && !text.utf8.contains(0) ? text : nil
    }

    private mutating func readTopics(_ table: SettingsTable) {
        let expected = "a topic, or a pattern such as sensors/+/state or out/#"
        out = table.texts("out", expected: expected) { TopicPattern($0) } ?? []
        into = table.texts("in", expected: expected) { TopicPattern($0) } ?? []
        func prefix(_ key: String) -> String? {
            table.text(key, expected: "the begin of a topic, for example site/") { text in
                text.isEmpty || TopicName(text + "x") != nil ? text : nil
            }
        }
        localPrefix = prefix("local_prefix") ?? localPrefix
        remotePrefix = prefix("remote_prefix") ?? remotePrefix
        for (key, patterns) in [("out", out), ("in", into)] {
            for pattern in patterns {
                let isWhole = [localPrefix, remotePrefix].allSatisfy {
                    TopicPattern($0 + pattern.text) != nil
                }
                if !isWhole { table.complain(key, "'\(pattern)' with a prefix is too long") }
            }
        }
        if out.isEmpty, into.isEmpty { table.complain("out", "names no topic, nor does 'in'") }
        for one in out {
            for other in into where other.overlaps(one) {
                table.complain(
                    "in",
                    "'\(other)' and '\(one)' of 'out' have topics in common: messages would go in "
                        + "a circle")
            }
        }
    }

    /// What a bridge needs, read before the process restricts itself.
    ///
    /// - Parameter tls: of this bridge alone, whose connections then wait for nobody else's.
    /// - Throws: `Refusal` if the file with the password cannot be read.
    func options(_ resolver: Resolver, _ tls: TLSProgram?) throws(Refusal) -> MQTTBridgeOptions {
        let (host, port, isSecure) = (host, port, isSecure)
        var options = MQTTBridgeOptions(name: name, client: Array(client.utf8)) {
            loop, deadline in
            guard isSecure else {
                return try await ByteStream.connect(
                    to: String(decoding: host.bytes, as: UTF8.self), port: port, resolver: resolver,
                    on: loop,
                    deadline: deadline)
            }
            guard let tls else { throw LoopError.system(.perm) }
            return try await tls.connect(
                to: host, port: port, resolver: resolver, on: loop, deadline: deadline)
        }
        if isSecure { options.leaveTime = .seconds(2) }
        options.user = user.map { Array($0.utf8) }
        options.password = password.map { Array($0.utf8) }
        if let passwordFile {
            var bytes = try SupervisorService.read(passwordFile)
            if bytes.last == 0x0a { bytes.removeLast() }
            if bytes.last == 0x0d { bytes.removeLast() }
            options.password = Array(bytes.prefix(0xffff))
        }
        options.keepAlive = keepAlive
        options.isClean = isClean
        options.quality = quality
        options.out = out
        options.into = into
        options.localPrefix = Array(localPrefix.utf8)
        options.remotePrefix = Array(remotePrefix.utf8)
        options.queue = queue
        options.queueBytes = queueBytes
        options.whenFull = whenFull
        options.forwards = forwards
        options.will = willTopic.map {
            MQTTBridgeOptions.Will(
                topic: $0, message: Array(willMessage.utf8), isRetained: retainsWill)
        }
        return options
    }
}
