import Wire
import Workflow

extension WireSchemas {
    static let models: [String: Schema] = [
        "ModelRequest": .object(
            "Registers bytes of the artifact store as a model, or names one.",
            .optional("name", .string("Unique among the models there are.", minLength: 1, maxLength: 100)),
            .optional("moveName", .boolean("Take the name away from the model that has it, and this one's away.")),
            .optional("card", .anything("The model card, an object; needed for a model that is not known yet."))),
        "FoldNaming": .object(
            "Names the models that a step trained over folds: NAME.fold-1 and so on; NAME stands for all of them.",
            .required("name", .string(minLength: 1, maxLength: 100)), .optional("step", .string()),
            .optional("moveName", .boolean("Take the names away from the models that have them."))),
        "ModelSummary": .object(
            "A network with its weights.",
            .required("digest", digest), .optional("name", .string()),
            .optional(
                "foldCount", .integer("Where the name is GROUP.fold-N: how many folds the group has.", minimum: 1)),
            .optional("architecture", .string("As the card names it.")),
            .optional("inputs", .anything("Input channels, as the card states them.")),
            .optional("outputs", .anything("Classes or other outputs, as the card states them.")),
            .required("source", .choice(ModelSummary.Source.allCases.map(\.rawValue))),
            .optional("task", task),
            .optional("data", .string("Of its training: real, synthetic, semi-synthetic or unstated.")),
            .optional("metrics", .anything("As the card states them.")),
            .required("sizeBytes", count), .required("createdAt", time)),
        "ModelDetail": .object(
            "A model with its card.",
            .required("summary", .reference("ModelSummary")), .required("card", .anything("An object.")),
            .optional("nameTakenFrom", digest),
            .optional("formerName", .string("Of an answer to PUT: the name that it had until now.")),
            .optional(
                "foldNamesTaken",
                .list(of: .string(), "Of an answer to PUT: the names that models of folds had until now."))),
        "ModelList": .object("Models, newest first.", .required("models", .list(of: .reference("ModelSummary")))),
    ]
}
