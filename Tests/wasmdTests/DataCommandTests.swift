import Glibc
import Testing
import WasmdDocuments
import WasmdStorage

@testable import wasmd

/// `wasmd data`, on folders that a store has written.
@Suite struct DataCommandTests {
    /// A folder with twenty records and a blob.
    private func folder() throws -> (TemporaryFolder, String) {
        let folder = try TemporaryFolder()
        let path = folder.path + "/data"
        let store = try RecordStore(folder: Array(path.utf8))
        let pin = try store.blobs.put([1, 2, 3])
        for index in 0..<40 {
            var transaction = Transaction()
            transaction.put(
                Array("key \(index % 20)".utf8), [UInt8](repeating: UInt8(index), count: 100),
                blobs: index == 39 ? [pin.digest] : [])
            try store.commitBlocking(transaction)
        }
        store.close()
        return (folder, path)
    }

    /// Changes the value of the third transaction.
    private func damage(_ path: String) throws {
        let program = """
            cd '\(path)/log'
            offset=$(grep -obUaP '\\x02{100}' 00000001.log | cut -d: -f1)
            printf '\\377' | dd of=00000001.log bs=1 seek=$offset conv=notrunc
            """
        #expect(try run("/bin/sh", ["-c", program]).status == 0)
    }

    @Test func verifiesBacksUpAndRestores() throws {
        let (folder, path) = try folder()
        let verified = try wasmd("data", "verify", path)
        #expect(verified.status == 0 && verified.error == "")
        #expect(verified.output.contains("20 records"))
        #expect(verified.output.contains("1 blob (3 bytes)"))
        #expect(verified.output.contains("nothing is damaged"))
        let backup = folder.path + "/backup"
        #expect(try wasmd("data", "backup", path, backup).status == 0)
        #expect(try wasmd("data", "restore", backup, folder.path + "/again").status == 0)
        let store = try RecordStore(folder: Array((folder.path + "/again").utf8))
        #expect(store.statistics.records == 20)
        #expect(
            try store.getBlocking(Array("key 3".utf8))?.value == [UInt8](repeating: 23, count: 100))
        store.close()
        // A copy never replaces anything.
        let again = try wasmd("data", "restore", backup, path)
        #expect(again.status == 1)
        #expect(again.error.contains("there is something already") && again.error.contains(path))
        #expect(again.error.contains("move the folder away, and restore again"))
        // What is copied, in the bytes that it takes: once more the same.
        let copied = try wasmd("data", "backup", backup, folder.path + "/far/away")
        #expect(copied.status == 0)
        let log = try run("/bin/sh", ["-c", "cat '\(folder.path)/far/away/log/'* | wc -c"])
        let bytes = 3 + (Int(log.output.filter(\.isNumber)) ?? 0)
        #expect(copied.output.contains("20 records, 1 blob, \(grouped(bytes)) bytes\n"))
    }

    @Test func compacts() throws {
        let (folder, path) = try folder()
        let result = try wasmd("data", "compact", path)
        #expect(result.status == 0)
        #expect(result.output.contains("fewer than before; 0 blobs removed"))
        let store = try RecordStore(folder: Array(path.utf8))
        #expect(store.statistics.records == 20)
        // Only a reader works beside a process that has the folder.
        let held = try wasmd("data", "compact", path)
        #expect(held.status == 1)
        #expect(held.error.contains("\(path): in use by process \(getProcess())"))
        #expect(held.error.contains("Stop that process first"))
        let verified = try wasmd("data", "verify", path)
        #expect(verified.status == 0 && verified.output.contains("in use by process"))
        #expect(try wasmd("data", "backup", path, folder.path + "/copy").status == 0)
        store.close()
    }

    private func getProcess() -> Int32 { getpid() }

    @Test func reportsDamage() throws {
        let (folder, path) = try folder()
        try damage(path)
        let text = try wasmd("data", "verify", path)
        #expect(text.status == 1)
        #expect(text.output.contains("\(path)/log/00000001.log: "))
        #expect(text.output.contains("lost: 1 transaction"))
        let json = try wasmd("data", "verify", "--json", path)
        #expect(json.status == 1 && json.error == "")
        let document = try JSONReader.read(Array(json.output.utf8))
        #expect(document["sound"] == .boolean(false))
        #expect(document["log"]?["damage"]?.arrayValue?.count == 1)
        let copied = try wasmd("data", "backup", path, folder.path + "/copy")
        #expect(copied.status == 1)
        #expect(copied.output.contains("not copied: log/00000001.log: the record at"))
        #expect(try wasmd("data", "verify", folder.path + "/copy").status == 0)
    }

    @Test func refusals() throws {
        let folder = try TemporaryFolder()
        let empty = try wasmd("data", "verify", folder.path)
        #expect(empty.status == 1 && empty.error.contains("no store: there is no folder 'log'"))
        #expect(try wasmd("data", "compact", folder.path).status == 1)
        let json = try wasmd("data", "verify", "--json", folder.path)
        #expect(json.status == 1)
        let document = try JSONReader.read(Array(json.output.utf8))
        #expect(document["error"]?["reason"]?.stringValue?.contains("no store") == true)
        #expect(try wasmd("data", "verify", "/nowhere").error.contains("/nowhere"))
    }

    @Test func commandLine() throws {
        func refused(_ words: String...) throws(UsageError) {
            _ = try DataCommand(ArgumentParser.parse(["data"] + words))
        }
        #expect(throws: UsageError.missingOperand("ACTION", .data)) { try refused() }
        #expect(throws: UsageError.missingOperand("FOLDER", .data)) { try refused("verify") }
        #expect(throws: UsageError.missingOperand("TARGET", .data)) { try refused("backup", "a") }
        #expect(throws: UsageError.missingOperand("FOLDER", .data)) { try refused("restore", "a") }
        #expect(throws: UsageError.unexpectedOperand("c", .data)) {
            try refused("restore", "a", "b", "c")
        }
        #expect(
            throws: UsageError.invalidValue(
                "", of: "FOLDER", expected: "the name of a folder", .data)
        ) { try refused("restore", "a", "") }
        #expect(throws: UsageError.unexpectedOperand("b", .data)) {
            try refused("verify", "a", "b")
        }
        #expect(throws: UsageError.unknownAction("verfy", suggestion: "verify")) {
            try refused("verfy", "a")
        }
        let result = try wasmd("data", "check", "x")
        #expect(result.status == 2)
        #expect(result.error.contains("Actions: verify, compact, backup, restore"))
    }
}
