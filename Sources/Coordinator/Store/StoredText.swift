// How values of the vocabulary are kept in columns.

import BIDS
import Foundation
import Postgres
import Workflow

extension ArtifactDigest {
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        var high: UInt8?
        for character in hex.utf8 {
            let digit = character <= 57 ? character - 48 : character - 87
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }

    init(bytes: [UInt8], table: String) throws {
        let digits = Array("0123456789abcdef".utf8)
        let hex = String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        guard let digest = ArtifactDigest(hex: hex) else {
            throw StoreError.damagedRow(table: table, what: "a digest has \(bytes.count) bytes")
        }
        self = digest
    }
}

enum StoredJSON {
    static func value(_ text: String, table: String) throws -> JSONValue {
        do {
            return try JSONValue.parse(text)
        } catch {
            throw StoreError.damagedRow(table: table, what: "\(error)")
        }
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ text: String, table: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw StoreError.damagedRow(table: table, what: "\(error)")
        }
    }

    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

extension AttemptOutcome {
    init(stored text: String) throws {
        guard let outcome = AttemptOutcome(rawValue: text) else {
            throw StoreError.damagedRow(table: "attempt", what: "outcome \"\(text)\" is unknown")
        }
        self = outcome
    }
}

extension TaskState {
    init(stored number: Int16) throws {
        guard let state = TaskState(rawValue: number) else {
            throw StoreError.damagedRow(table: "task", what: "state \(number) is unknown")
        }
        self = state
    }
}

/// SQL that shows a point in time as ISO 8601 in UTC.
func iso8601(_ expression: String) -> String {
    "to_char(\(expression) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
}
