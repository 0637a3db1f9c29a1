import Artifacts
import BIDS
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Postgres
import Wire

/// Turns every error into the one shape clients see. The only place that knows which status goes with what.
enum ErrorMapping {
    /// - Parameter request: identifier under which the log has more.
    static func failure(for error: any Error, request: String) -> APIFailure {
        switch error {
        case let failure as APIFailure: failure
        case let error as APIError: APIFailure(status(ofCode: error.code), error)
        case let error as DecodingError: decoding(error)
        case let error as ArtifactError: artifact(error, request: request)
        case let error as PostgresError: database(error, request: request)
        case let error as StoreError: store(error, request: request)
        case let error as BIDSError: APIFailure(.unprocessableContent, "invalid_dataset", "\(error)")
        case is NIOTooManyBytesError:
            APIFailure(.contentTooLarge, "too_large", "The body of the request is too large; send it in parts.")
        case let error as HTTPError: http(error)
        case is CancellationError:
            APIFailure(
                .serviceUnavailable, "stopping",
                "The request was given up because the coordinator is stopping; try again.")
        default: internalError(request: request)
        }
    }

    /// For the log: clients get the sentence, operators also what it was made of.
    static func isWorthLogging(_ failure: APIFailure) -> Bool { failure.status.code >= 500 }

    private static func internalError(request: String) -> APIFailure {
        APIFailure(
            .internalServerError, "internal",
            "The coordinator made a mistake; its log has more under request \(request).")
    }

    private static func status(ofCode code: String) -> HTTPResponse.Status {
        switch code {
        case "not_found": .notFound
        case "unauthorized": .unauthorized
        case "forbidden": .forbidden
        case "conflict", "missing_artifact": .conflict
        case "session_expired", "source_changed": .gone
        case "too_large": .contentTooLarge
        case "digest_mismatch": .unprocessableContent
        case "storage_full": .insufficientStorage
        case "database_unavailable": .serviceUnavailable
        case "internal": .internalServerError
        default: .badRequest
        }
    }

    private static func http(_ error: HTTPError) -> APIFailure {
        switch error.status {
        case .notFound: .notFound("There is no such route; the list is at /v1/openapi.json.")
        case .contentTooLarge: APIFailure(.contentTooLarge, "too_large", "The body of the request is too large.")
        default: APIFailure(error.status, "invalid", error.body ?? error.status.reasonPhrase, headers: error.headers)
        }
    }

    private static func artifact(_ error: ArtifactError, request: String) -> APIFailure {
        let sentence = error.description
        return switch error {
        case .notFound: APIFailure(.notFound, "not_found", sentence)
        case .digestMismatch, .lengthMismatch: APIFailure(.unprocessableContent, "digest_mismatch", sentence)
        case .tooLarge: APIFailure(.contentTooLarge, "too_large", sentence)
        case .wrongOffset(_, let stored, _):
            APIFailure(.conflict, "wrong_offset", sentence, headers: [.uploadOffset: "\(stored)"])
        case .uploadInProgress: APIFailure(.conflict, "upload_in_progress", sentence)
        case .storageFull, .cacheFull: APIFailure(.insufficientStorage, "storage_full", sentence)
        case .damaged: APIFailure(.internalServerError, "damaged", sentence)
        case .cacheInUse, .system: internalError(request: request)
        }
    }

    private static func database(_ error: PostgresError, request: String) -> APIFailure {
        if error.isConnectionFailure || error.isTransient {
            return APIFailure(
                .serviceUnavailable, "database_unavailable",
                "The coordinator cannot use its database at the moment; try again shortly.", headers: [.retryAfter: "1"]
            )
        }
        switch error {
        case .statement(let statement):
            // Class 22: a value that no column takes, such as a text with a zero byte or a number too large.
            if statement.state.classCode == "22" {
                return .invalid("The database cannot take a value of the request: \(statement.message).")
            }
            if statement.state.classCode == "23" {
                return APIFailure(.conflict, "conflict", "It does not fit what is stored: \(statement.message).")
            }
            if statement.state == .diskFull {
                return APIFailure(
                    .insufficientStorage, "storage_full", "The disk of the database is full; free space there.")
            }
            return internalError(request: request)
        case .cancelled, .poolClosed:
            return APIFailure(.serviceUnavailable, "stopping", "The coordinator is stopping; try again shortly.")
        default:
            return internalError(request: request)
        }
    }

    private static func store(_ error: StoreError, request: String) -> APIFailure {
        switch error {
        case .tokenExists, .ambiguousModel, .modelNameTaken, .modelHasName, .modelBelongsToRun,
            .modelNameTakenByFolds, .foldsOfModelMissing:
            APIFailure(.conflict, "conflict", "\(error)")
        case .modelNameOfFolds: APIFailure(.conflict, "model_of_folds", "\(error)")
        case .unknownModel: .notFound("\(error)")
        case .unusableModelName: .invalid("\(error)", details: ["name"])
        case .modelWithoutCard: .invalid("\(error)", details: ["card"])
        case .missingModelBytes: APIFailure(.conflict, "missing_artifact", "\(error)")
        case .emptyTokenName: .invalid("\(error)", details: ["name"])
        case .noModelsOfFolds: APIFailure(.unprocessableContent, "no_models", "\(error)")
        case .tooManyTasks: APIFailure(.unprocessableContent, "invalid_run", "\(error)")
        case .unknownView: .notFound("\(error)")
        case .serverTooOld, .wrongEncoding, .schemaNewer, .schemaAltered:
            APIFailure(.serviceUnavailable, "database_unavailable", "\(error)")
        case .missingDigest, .brokenGraph, .damagedRow: internalError(request: request)
        }
    }

    private static func decoding(_ error: DecodingError) -> APIFailure {
        func place(_ path: [any CodingKey]) -> String {
            path.reduce("") { text, key in
                if let index = key.intValue { return "\(text)[\(index)]" }
                return text.isEmpty ? key.stringValue : "\(text).\(key.stringValue)"
            }
        }
        let (name, problem): (String, String)
        switch error {
        case .keyNotFound(let key, let context):
            (name, problem) = (place(context.codingPath + [key]), "is missing")
        case .valueNotFound(_, let context):
            (name, problem) = (place(context.codingPath), "is null")
        case .typeMismatch(let type, let context):
            (name, problem) = (place(context.codingPath), "is not \(Self.words(for: type))")
        case .dataCorrupted(let context):
            (name, problem) = (place(context.codingPath), "cannot be read: \(context.debugDescription)")
        @unknown default:
            (name, problem) = ("", "cannot be read")
        }
        guard !name.isEmpty else { return .invalid("The body of the request is not valid JSON: it \(problem).") }
        return .invalid("The body of the request is not valid: “\(name)” \(problem).", details: [name])
    }

    private static func words(for type: any Any.Type) -> String {
        switch type {
        case is any FixedWidthInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is String.Type: "a text"
        case is Bool.Type: "true or false"
        case is [Any].Type: "a list"
        default: "an object"
        }
    }
}

extension APIFailure {
    init(_ status: HTTPResponse.Status, _ error: APIError) {
        self.init(status, error.code, error.message, details: error.details)
    }
}

extension HTTPResponse.Status {
    /// RFC 4918, section 11.5.
    static let insufficientStorage = HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
}

extension HTTPField.Name {
    static let uploadOffset = HTTPField.Name("Upload-Offset")!
    static let uploadLength = HTTPField.Name("Upload-Length")!
    static let uploadMediaType = HTTPField.Name("Upload-Media-Type")!
    static let requestID = HTTPField.Name("X-Request-ID")!
}
