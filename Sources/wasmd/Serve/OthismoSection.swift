import WasmWASI
import WasmdDocuments
import WasmdOperation

/// `[othismo]`: an image whose objects answer HTTP requests.
struct OthismoSection: Sendable, Equatable {
    var listen: [SocketAddress] = []
    /// The file; the ending `.simg` may be left out.
    var image: Word?
    /// Bytes of a body in one message.
    var bodyLimit = 8 << 20
    /// How long an object has to answer.
    var answerTime = Duration.seconds(30)

    init() {}

    init(_ table: SettingsTable) {
        listen = table.addresses("listen")
        image = table.text("image", expected: "a file") { $0.isEmpty ? nil : Word($0) }
        bodyLimit = table.bytes("max_body").map { Int(clamping: $0) } ?? bodyLimit
        answerTime = table.duration("answer_time") ?? answerTime
    }

    var facts: [SettingFact] {
        [
            SettingFact("othismo.listen", "\(listen)", isReloadable: false),
            SettingFact("othismo.image", image?.text ?? "", isReloadable: false),
            SettingFact("othismo.max_body", "\(bodyLimit)", isReloadable: false),
            SettingFact("othismo.answer_time", "\(answerTime)", isReloadable: false),
        ]
    }
}
