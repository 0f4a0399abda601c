import Testing
import WasmSystem

@testable import WasmdImages

struct FormatTests {
    private let damage = ImageError.Damage(page: 9, .cell)

    @Test func varints() throws {
        let numbers: [Int64] = [
            0, 1, 127, 128, 16_383, 16_384, 1 << 21 - 1, 1 << 21, 1 << 28, 1 << 35, 1 << 42,
            1 << 49 - 1, 1 << 49, 1 << 56 - 1, 1 << 56, .max, -1, .min,
        ]
        for number in numbers {
            var bytes: [UInt8] = [1]
            bytes.appendVarint(number)
            let (value, size) = try bytes.varint(1, before: bytes.count, damage)
            #expect(value == number)
            #expect(size == bytes.count - 1 && size == [UInt8].sizeOfVarint(number))
            #expect(throws: ImageError.damaged(damage)) {
                try bytes.varint(1, before: bytes.count - 1, damage)
            }
        }
        #expect([UInt8].sizeOfVarint(-1) == 9)
        var bytes: [UInt8] = []
        bytes.appendVarint(300)
        #expect(bytes == [0x82, 0x2c])
    }

    @Test func records() throws {
        let pager = try Fixture.create(MemoryDisk()).pager
        let integers: [Int64] = [
            0, 1, 2, -1, 127, -128, 128, 32_767, -32_768, 32_768, 8_388_607, -8_388_608, 8_388_608,
            1 << 31 - 1, -(1 << 31), 1 << 31, 1 << 47 - 1, -(1 << 47), 1 << 47, .max, .min,
        ]
        var values = integers.map { Value.integer($0) }
        values += [.null, .real(1.5), .real(-0.0), .text(bytes("ä")), .blob([]), .blob([1, 2])]
        values += [.text(content(200, 1)), .blob(content(100, 1))]
        let record = Record.encode(values)
        let payload = Payload(page: 3, count: record.count, local: record[...], overflow: 0)
        #expect(try Record(payload, pager).values(payload, pager) == values)
        // The type of 1 is its value.
        #expect(Record.encode([.integer(1), .null, .integer(-1)]) == [4, 9, 0, 1, 0xff])
        for count in 0..<record.count {
            let part = Payload(page: 3, count: count, local: record[..<count], overflow: 0)
            #expect(throws: ImageError.damaged(.init(page: 3, .record))) {
                try Record(part, pager).values(part, pager)
            }
        }
        // The header of a record of 126 values has two bytes for its size.
        for count in 120..<140 {
            let values = [Value](repeating: .null, count: count)
            let record = Record.encode(values)
            let payload = Payload(page: 3, count: record.count, local: record[...], overflow: 0)
            #expect(try Record(payload, pager).values(payload, pager) == values)
        }
    }

    @Test func order() {
        let ordered: [Value] = [
            .null, .integer(.min), .real(-1.5), .integer(-1), .integer(0), .real(0.5), .integer(1),
            .real(0x1p62), .integer(.max), .real(0x1p63), .real(.infinity), .text([]),
            .text(bytes("a")), .text(bytes("ab")), .text([0xff]), .blob([]), .blob([0]),
        ]
        for (one, first) in ordered.enumerated() {
            for (other, second) in ordered.enumerated() {
                #expect(Value.compare(first, second).signum() == (one - other).signum())
            }
        }
        #expect(Value.compare(.integer(3), .real(3)) == 0)
    }

    /// Sizes of section 1.6, as SQLite computes them.
    @Test func payloads() {
        #expect(Payload.localCount(4061, usable: 4096, isTable: true) == 4061)
        #expect(Payload.localCount(4062, usable: 4096, isTable: true) == 489)
        #expect(Payload.localCount(8000, usable: 4096, isTable: true) == 3908)
        #expect(Payload.localCount(1002, usable: 4096, isTable: false) == 1002)
        #expect(Payload.localCount(1003, usable: 4096, isTable: false) == 489)
    }

    @Test func definitions() throws {
        let text = """
            CREATE TABLE "a" ( -- comment, with )
              [path] VARCHAR(10, 2) NOT NULL PRIMARY KEY ON CONFLICT ABORT, /* , */
              `n` INTEGER DEFAULT -5 CHECK (n > (1 + 2)), t TEXT DEFAULT 'it''s' UNIQUE,
              x COLLATE NOCASE, CONSTRAINT u UNIQUE (n, t), UNIQUE (path), CHECK (n), \
            FOREIGN KEY (n) REFERENCES b (c))
            """
        let definition = try #require(TableDefinition(bytes(text)))
        let names = definition.columns.map { String(decoding: $0.name, as: UTF8.self) }
        #expect(names == ["path", "n", "t", "x"])
        #expect(definition.uniqueGroups == [[0], [2], [1, 2]])
        #expect(definition.columns[1].standard == .integer(-5))
        #expect(definition.columns[2].standard == .text(bytes("it's")))
        #expect(definition.columns[3].hasCollation && definition.rowidColumn == nil)
        #expect(!definition.isWithoutRowid && !definition.hasUnknown)
        #expect(definition.indexColumns(bytes("CREATE INDEX i ON a (t ASC, \"N\")")) == [2, 1])
        for part in ["(lower(t))", "(t DESC)", "(t COLLATE x)", "(t) WHERE n > 1", "(nothing)"] {
            #expect(definition.indexColumns(bytes("CREATE INDEX i ON a \(part)")) == nil)
        }
        func rowid(_ columns: String) -> Int? {
            TableDefinition(bytes("create table t(\(columns))"))?.rowidColumn
        }
        #expect(rowid("a, b integer primary key autoincrement") == 1)
        #expect(rowid("a INTEGER, PRIMARY KEY (a)") == 0)
        #expect(rowid("a INT PRIMARY KEY") == nil)
        #expect(rowid("a INTEGER PRIMARY KEY DESC") == nil)
        #expect(rowid("a INTEGER, b, PRIMARY KEY (a, b)") == nil)
        let without = TableDefinition(bytes("CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID"))
        #expect(without?.isWithoutRowid == true)
        for text in [
            "", "CREATE TABLE", "CREATE TABLE t", "CREATE TABLE t ()", "CREATE TABLE t (a",
        ] {
            #expect(TableDefinition(bytes(text)) == nil)
        }
        for text in ["CREATE TABLE t ('a", "CREATE TABLE t (a /*", "CREATE TABLE t ((((", "("] {
            #expect(TableDefinition(bytes(text)) == nil)
        }
    }

    /// Definitions that lie in wait for recursion, or for comparing everything with everything.
    @Test func definitionsWithoutEnd() {
        func standard(_ value: String) -> Value? {
            TableDefinition(bytes("CREATE TABLE t (a DEFAULT \(value))"))?.columns[0].standard
        }
        #expect(standard("+7") == .integer(7))
        #expect(standard(String(repeating: "+", count: 200_000) + "1") == .null)
        func columns(_ count: Int, _ constraint: String) -> String {
            "CREATE TABLE t ("
                + (0..<count).map { "c\($0) \(constraint)" }.joined(separator: ",") + ")"
        }
        #expect(TableDefinition(bytes(columns(2000, "UNIQUE")))?.columns.count == 2000)
        #expect(TableDefinition(bytes(columns(20_000, "UNIQUE"))) == nil)
        let group =
            "CREATE TABLE t (a, b" + String(repeating: ", UNIQUE (b, a)", count: 10_000) + ")"
        #expect(TableDefinition(bytes(group))?.uniqueGroups.count == 1)
    }

    @Test func journalChecksum() {
        var page = [UInt8](repeating: 0, count: 1024)
        for place in [1024 - 200, 1024 - 400, 1024 - 600, 1024 - 800, 1024 - 1000] {
            page[place] = 1
        }
        #expect(JournalFormat.checksum(page, nonce: 7) == 12)
    }
}
