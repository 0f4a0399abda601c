import WasmInterpreter
import WasmdDocuments

extension Exchange {
    public struct Options: Sendable {
        /// How long a guest may handle one message, with all that it waits for meanwhile.
        public var deliveryTimeout: Duration = .seconds(5)
        /// How many deliveries one commit holds at most.
        public var batchDeliveries = 10_000
        /// After this time no further delivery begins before the next commit.
        public var batchTime: Duration = .milliseconds(50)
        /// How many messages may wait for one receiver.
        public var queueLimit = 4096
        /// How many bytes these messages may have together.
        public var queueBytes = 64 << 20
        /// How many bytes all messages that wait may have together; a delivery that sends more
        /// fails.
        public var waitingBytes = 256 << 20
        /// How many messages a guest may send during one delivery.
        public var sendLimit = 1024
        /// How many bytes these messages may have together.
        public var sendBytes = 64 << 20
        /// After so many bytes of messages no further delivery begins before the next commit.
        public var batchBytes = 64 << 20
        /// How many instances may wait for each other's answers, one inside of the other.
        public var depthLimit = 32
        /// How many instances stay in memory between commits.
        public var liveInstances = 256
        /// What each instance may take.
        public var limits: StoreLimits
        /// Where instances print to. Whatever takes it must not make a server wait.
        public var output = ObjectOutput.discarded

        public init() {
            limits = StoreLimits()
            limits.totalBytes = 512 << 20
        }
    }

    /// What leaves the image.
    public enum Output: Sendable {
        /// A message to `/`, or to a receiver that does not exist.
        case console(Document)
        /// A message to one of the endpoints.
        case endpoint([UInt8], Envelope)
    }
}

/// A delivery failed, and what was done since the last commit must be undone.
struct DeliveryFailure: Error {
    let error: MessageError
}
