import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// The views of the results, streamed as tables.
func resultRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    [
        APIRoute(
            .get, "/v1/runs/{run}/results/{view}", .readers, operation: "readResults", tag: "results",
            summary: "One of the documented views, for one run.",
            parameters: [
                .path("run", WireSchemas.run), .path("view", .choice(Store.resultViews)),
                .query("format", .choice(["json", "csv", "tsv"])),
            ], answers: [.init(200, .table, "All rows, in a stable order.")], errors: [404]
        ) { request, context in
            let run = try context.run()
            let view = try context.name("view")
            guard Store.resultViews.contains(view) else {
                throw APIFailure.notFound(
                    "There is no view “\(view)”; there are \(Store.resultViews.joined(separator: ", ")).")
            }
            let query = try QueryValues(request, known: ["format"])
            let format = try query.value("format", "json, csv or tsv") { ResultFormat(rawValue: $0) } ?? .json
            _ = try await parts.existing(run: run)
            let rows = try parts.store.copyResults(view: view, run: run, format: format)
            // Awaited before the answer begins: what goes wrong at the start can still be said.
            var iterator = rows.makeAsyncIterator()
            let first = try await iterator.next() ?? []
            let body = ResponseBody { writer in
                var list = JSONArrayText(isActive: format == .json)
                try await writer.write(ByteBuffer(bytes: list.append(first)))
                for try await piece in rows { try await writer.write(ByteBuffer(bytes: list.append(piece))) }
                try await writer.write(ByteBuffer(bytes: list.finish()))
                try await writer.finish(nil)
            }
            return Response(status: .ok, headers: [.contentType: format.mediaType], body: body)
        }
    ]
}

extension ResultFormat {
    var mediaType: String {
        switch self {
        case .json: "application/json"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .tsv: "text/tab-separated-values; charset=utf-8"
        }
    }
}

/// Makes one JSON array of lines that hold a JSON object each, as they pass by. JSON escapes line breaks, so every line
/// break ends an object.
struct JSONArrayText {
    let isActive: Bool
    private var hasBegun = false
    private var owesComma = false

    init(isActive: Bool) { self.isActive = isActive }

    mutating func append(_ bytes: [UInt8]) -> [UInt8] {
        guard isActive else { return bytes }
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + bytes.count / 64 + 2)
        if !hasBegun { text.append(UInt8(ascii: "[")) }
        hasBegun = true
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                owesComma = true
                continue
            }
            if owesComma { text += [UInt8(ascii: ","), UInt8(ascii: "\n")] }
            owesComma = false
            text.append(byte)
        }
        return text
    }

    func finish() -> [UInt8] {
        guard isActive else { return [] }
        return Array((hasBegun ? "]\n" : "[]\n").utf8)
    }
}
