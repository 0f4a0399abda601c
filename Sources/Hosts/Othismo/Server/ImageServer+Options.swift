import WasmdDocuments

extension ImageServer {
    public struct Options: Sendable {
        public var exchange = Exchange.Options()
        /// How long the answer to a request may take. Then 504.
        public var answerTime = Duration.seconds(30)
        /// Bytes of a body that a handler gets in one message. Larger ones are refused with 413.
        public var bodyLimit = 8 << 20
        /// Bytes of a body that a handler gets in pieces.
        public var streamLimit: UInt64 = 16 << 30
        /// Requests at one time. One more gets 503.
        public var requestLimit = 4096
        /// Bytes of all bodies at one time. More get 503.
        public var pendingBytes = 256 << 20
        /// WebSockets at one time. One more gets 503.
        public var socketLimit = 4096
        /// Bytes of a message of a WebSocket.
        public var socketMessageLimit = 256 << 10
        /// How long to wait after the image could not be written.
        public var retryTime = Duration.seconds(1)
        /// Is told what went wrong, in lines. Called on any thread.
        public var report: @Sendable (String) -> Void = { _ in }
        /// Is told what arrives at the console for nobody. Called on any thread.
        public var console: (@Sendable (Document) -> Void)?

        public init() {}

        /// As much as fits into a message beside what else a request says.
        static let mostBodyBytes = Envelope.maximumBytes - (1 << 20)
    }
}
