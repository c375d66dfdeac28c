"""The words that suggestions are made from: plain English of tool and argument names, of no product and no suite."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

READS: Final = frozenset({
    "browse", "calculate", "check", "count", "describe", "diff", "download", "fetch", "find", "get", "head", "list",
    "load", "lookup", "open", "query", "read", "retrieve", "search", "show", "stat", "status", "tree", "view",
})  # fmt: skip
WRITES: Final = frozenset({
    "add", "append", "apply", "assign", "commit", "copy", "create", "edit", "insert", "make", "mark", "mkdir", "modify",
    "move", "put", "register", "rename", "replace", "reply", "reschedule", "save", "schedule", "set", "store", "touch",
    "update", "upload", "write",
})  # fmt: skip
MAKES: Final = frozenset({"add", "create", "insert", "make", "register", "save", "schedule", "write"})
"""Verbs of tools that make a thing, and say which it is."""
ENDS: Final = frozenset({
    "book", "buy", "call", "cancel", "email", "exec", "execute", "forward", "grant", "invite", "mail", "merge", "order",
    "pay", "post", "publish", "push", "refund", "reserve", "reset", "revoke", "run", "send", "share", "shell", "submit",
    "transfer",
})  # fmt: skip
DESTROYS: Final = frozenset({
    "ban", "clear", "delete", "destroy", "drop", "erase", "kick", "kill", "purge", "remove", "terminate", "truncate",
    "uninstall", "wipe",
})  # fmt: skip

DEEDS: Final = frozenset({
    "add", "append", "apply", "assign", "cancel", "create", "edit", "exec", "execute", "insert", "mkdir", "modify",
    "publish", "put", "rename", "replace", "reschedule", "reset", "revoke", "save", "send", "submit", "update",
    "upload", "write",
})  # fmt: skip
"""Verbs that are hardly ever a thing: they count wherever they stand, as in `search_replace`."""
ACTS: Final = frozenset({
    "accept", "answer", "archive", "attach", "bid", "block", "borrow", "broadcast", "build", "capture", "change",
    "charge", "checkout", "click", "clone", "close", "comment", "complete", "configure", "deposit", "detach", "drag",
    "exchange", "fill", "follow", "fork", "handle", "import", "init", "label", "lend", "like", "link", "lock",
    "message", "mint", "notify", "patch", "pause", "pin", "place", "play", "press", "print", "process", "pull", "react",
    "rebase", "redeem", "release", "rent", "repay", "request", "revert", "scale", "select", "ship", "sign", "stage",
    "stake", "star", "start", "stash", "stop", "swap", "switch", "sync", "tag", "tip", "topup", "trade", "transition",
    "trigger", "turn", "type", "vote", "wire",
})  # fmt: skip
"""Verbs that do something, and may be things as well: they count in front, and where they are joined to a verb."""
ACTS_ANYWHERE: Final = frozenset({
    "activate", "approve", "authorize", "confirm", "connect", "deactivate", "deploy", "disable", "disburse",
    "disconnect", "dismiss", "dispatch", "donate", "enable", "evaluate", "finalize", "install", "launch", "migrate",
    "navigate", "provision", "reboot", "reject", "rerun", "resolve", "respond", "restart", "restore", "resume", "retry",
    "rollback", "rotate", "sell", "subscribe", "suspend", "unarchive", "unassign", "unblock", "undo", "unfollow",
    "unlink", "unlock", "unsubscribe", "upgrade", "void", "withdraw",
})  # fmt: skip
"""Such as are hardly ever a thing."""
THINGS_TOO: Final = frozenset({"diff", "head", "query", "stat", "status", "tree"})
"""Verbs that read, and in front are a thing as often: `status_set`."""
LOADED: Final = frozenset({
    "config", "configuration", "context", "csv", "data", "dataset", "datasets", "doc", "document", "documents", "file",
    "files", "history", "image", "images", "json", "library", "memory", "messages", "note", "notes", "page", "prompt",
    "resource", "schema", "settings", "skill", "state", "table", "template", "url", "webpage",
})  # fmt: skip
"""What is loaded to be read; a card, a wallet or a truck is not."""
ASKS_FOR: Final = frozenset({"create", "issue", "make", "open", "place"})
DONE: Final = frozenset({
    "bid", "booking", "call", "charge", "order", "payment", "payout", "purchase", "refund", "reservation", "trade",
    "transaction", "transfer",
})  # fmt: skip
"""What is done by being made."""
SOLD: Final = frozenset({"auction", "rent", "sale"})
"""What something is listed for: others are told of it."""
PUT: Final = frozenset({"dest", "destination", "download", "export", "out", "output", "save"})
PLACES: Final = frozenset({"dir", "directory", "file", "filename", "folder", "path"})
"""An argument of the one and the other says where something is put."""
CHECKED: Final = frozenset({"in", "out"})
"""What follows a check that changes something."""
TOLD_WHAT: Final = frozenset({"cmd", "code", "command", "script", "shell", "sql", "statement"})
"""Arguments that say what is done, whatever the tool is called."""
OPENED: Final = frozenset({
    "browser", "directory", "doc", "document", "file", "files", "folder", "image", "link", "memory", "node", "nodes",
    "note", "page", "tab", "url", "webpage", "website",
})  # fmt: skip
"""What is there already when it is opened; an issue or an account is made by that."""

OUTSIDE: Final = frozenset({
    "browse", "download", "email", "fetch", "http", "mail", "post", "publish", "request", "send", "upload", "url",
    "web", "webhook", "webpage", "website", "broadcast", "invite", "notify", "push", "share", "sms", "submit", "sync",
})  # fmt: skip
ADDRESSED: Final = frozenset({
    "domain", "endpoint", "host", "hostname", "link", "uri", "url", "webhook", "website",
})  # fmt: skip
"""Arguments by which even a tool that only reads reaches outside, and may carry something there."""
KEPT: Final = frozenset({
    "document", "file", "folder", "directory", "note", "memory", "table", "row", "database", "record", "todo", "task",
})  # fmt: skip
"""Nouns of stores: what is written there stays there until somebody reads it."""
PEOPLE: Final = frozenset({
    "attendees", "bcc", "cc", "email", "emails", "participants", "phone", "recipient", "recipients", "to",
})  # fmt: skip
"""Arguments that name somebody to whom what is kept would go as well."""
SHARED: Final = frozenset({"bucket", "channel", "org", "organization", "owner", "remote", "repo", "repository"})
"""Arguments that name a place which others than its writer see."""
SEARCHES: Final = frozenset({"ask", "browse", "find", "lookup", "query", "search"})
"""Verbs of what looks for something, told in anybody's words."""
FREE: Final = frozenset({
    "input", "keyword", "keywords", "message", "messages", "prompt", "q", "query", "question", "search", "term", "text",
    "topic",
})  # fmt: skip
"""Arguments that hold anybody's words."""
HELD: Final = KEPT | frozenset({
    "account", "agency", "alert", "appointment", "attachment", "branch", "bucket", "calendar", "card", "channel",
    "chat", "code", "colleague", "collection", "column", "comment", "commit", "company", "contact", "conversation",
    "customer", "dashboard", "department", "directory", "draft", "email", "employee", "entity", "event", "folder",
    "group", "history", "hotel", "inbox", "invoice", "issue", "label", "log", "mail", "mailbox", "member", "message",
    "metric", "node", "object", "office", "order", "payee", "payment", "project", "record", "reminder", "repositories",
    "repository", "restaurant", "room", "schema", "shop", "store", "supplier", "symbol", "team", "thread", "ticket",
    "trace", "transaction", "user", "vendor", "workspace",
})  # fmt: skip
"""What an organisation holds: who looks through that asks nobody else."""
WEB: Final = frozenset({"http", "internet", "news", "page", "url", "web", "webpage", "website"})
ABROAD: Final = frozenset({"internet", "online", "web", "webpage", "webpages", "website", "websites"})
"""By any of these a description says that others are asked."""
PUBLIC: Final = frozenset({
    "directions", "exchange", "forecast", "forex", "geocode", "headlines", "map", "maps", "paper", "papers", "places",
    "quote", "quotes", "rss", "stock", "stocks", "ticker", "traffic", "transcript", "translate", "tweet", "tweets",
    "video", "videos", "weather", "wiki",
})  # fmt: skip
"""What everybody asks somebody else for."""
VISITS: Final = WEB | PUBLIC | {"browse", "crawl", "curl", "dns", "fetch", "ping", "scrape", "whois"}
"""What even a tool that only reads asks others for: the question itself tells them something."""
OUTWARD: Final = OUTSIDE | VISITS | ADDRESSED | frozenset({
    "api", "cloud", "external", "hosted", "https", "online", "outside", "proxy", "public", "relay", "remote", "saas",
    "ssh", "sync", "tunnel", "upstream", "vendor",
})  # fmt: skip
"""By any of these a server may reach others, whatever else is said of it."""
INSIDE: Final = frozenset({"filesystem", "inhouse", "internal", "intranet", "local", "localhost", "onprem", "premises"})
"""By these an operator calls what stays inside; nouns of stores do not: many of what they name are kept elsewhere."""
PERSONAL: Final = frozenset({
    "card", "credential", "credentials", "health", "identity", "medical", "passport", "password", "passwords",
    "personal", "salary", "secret", "secrets", "ssn",
})  # fmt: skip

CREDENTIALS: Final = frozenset({
    "credential", "credentials", "passcode", "passphrase", "passwd", "password", "pwd", "secret", "token",
})  # fmt: skip
TARGETS: Final = frozenset({
    "account", "address", "attachment", "attachments", "attendee", "attendees", "bcc", "cc", "channel", "contact",
    "destination", "email", "emails", "endpoint", "file", "filename", "folder", "group", "host", "iban", "id", "ids",
    "key", "link", "member", "members", "name", "participant", "participants", "path", "payee", "phone", "receiver",
    "recipient", "recipients", "repo", "repository", "room", "server", "target", "to", "uri", "url", "user", "username",
    "users", "webhook", "website",
})  # fmt: skip
CONTENTS: Final = frozenset({
    "amount", "body", "caption", "comment", "content", "contents", "count", "currency", "data", "date", "day",
    "description", "details", "duration", "end", "html", "label", "limit", "location", "markdown", "memo", "message",
    "note", "notes", "number", "price", "quantity", "reason", "size", "start", "subject", "summary", "text", "time",
    "title", "topic", "value",
})  # fmt: skip

TELLING: Final = frozenset({"details", "no", "number"})
"""Last words that tell which one of what stands before them, as in `account_number`."""

DIRECTORIES: Final = frozenset({
    "accounts", "agencies", "branches", "calendars", "channels", "colleagues", "companies", "contacts", "customers",
    "departments", "employees", "groups", "hotels", "members", "offices", "payees", "people", "projects",
    "repositories", "restaurants", "rooms", "shops", "stores", "suppliers", "teams", "users", "vendors",
})  # fmt: skip
"""Plurals of what an organisation knows by name: users, channels, payees."""
PASSED_OVER: Final = frozenset({"all", "available", "current", "every", "list", "my", "of", "own", "the"})
"""Words between a verb and what it is about."""

ASKED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "add": ("add", "include", "invite", "join", "put", "bring"),
    "append": ("append", "add", "write", "put", "attach", "extend"),
    "assign": ("assign", "give", "set"),
    "book": ("book", "reserve", "schedule", "arrange"),
    "buy": ("buy", "purchase", "order"),
    "call": ("call", "phone", "ring"),
    "cancel": ("cancel", "remove", "delete", "drop", "abort"),
    "checkout": ("checkout", "check out", "switch", "change"),
    "commit": ("commit", "save", "record", "check in"),
    "copy": ("copy", "duplicate", "clone"),
"create": (),
    "delete": ("delete", "remove", "clear", "clean", "erase", "discard"),
    "edit": ("edit", "change", "update", "modify", "adjust", "correct", "fix"),
    "email": ("email", "mail", "send", "write", "tell", "notify", "inform", "reply", "forward"),
    "execute": ("execute", "run", "start"),
    "forward": ("forward", "send", "share", "pass"),
    "grant": ("grant", "give", "allow", "share"),
    "invite": ("invite", "onboard"),
    "mail": ("mail", "email", "send", "write"),
    "merge": ("merge", "combine", "join"),
    "move": ("move", "relocate", "transfer"),
    "order": ("order", "buy", "purchase"),
    "pay": ("pay", "send", "transfer", "refund", "settle"),
    "post": ("post", "publish", "put", "upload", "write", "share"),
    "publish": ("publish", "post", "release", "share"),
    "push": ("push", "publish", "upload"),
    "put": ("put", "add", "set", "write"),
    "refund": ("refund", "return", "reimburse"),
    "remove": ("remove", "delete", "kick", "exclude", "drop"),
    "rename": ("rename", "call"),
    "reply": ("reply", "answer", "respond", "write"),
    "reschedule": ("reschedule", "move", "postpone", "shift", "change", "delay"),
    "reserve": ("reserve", "book", "reservation", "booking"),
    "reset": ("reset", "change", "restore"),
    "run": ("run", "execute", "start"),
    "save": ("save", "store", "keep", "write", "put"),
    "schedule": ("schedule", "set", "plan", "recurring", "arrange", "book"),
    "send": ("send", "write", "tell", "reply", "respond", "answer", "forward", "notify", "inform", "ask"),
    "set": ("set", "change", "update", "make"),
    "share": ("share", "give", "send", "grant"),
    "submit": ("submit", "send", "hand", "file"),
    "transfer": ("transfer", "send", "pay", "move", "refund"),
    "update": ("update", "change", "adjust", "modify", "edit", "correct", "set", "move"),
    "upload": ("upload", "save", "put", "store", "add"),
    "write": ("write", "save", "create", "put", "note"),
})  # fmt: skip
"""The words by which people ask for what a tool with this verb does."""
THINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "calendar": ("calendar", "event", "appointment", "meeting", "schedule", "reminder", "remind"),
        "document": ("document", "doc", "file", "write", "save"),
        "draft": ("draft", "email", "mail", "message"),
        "email": ("email", "mail", "message", "draft"),
        "event": ("event", "calendar", "appointment", "meeting", "schedule", "reminder", "remind"),
        "file": ("file", "document", "save", "write", "note", "list"),
        "folder": ("folder", "directory"),
        "issue": ("issue", "ticket", "bug", "report"),
        "note": ("note", "memo", "write"),
        "task": ("task", "todo", "to-do", "remind"),
        "ticket": ("ticket", "issue"),
    }
)
"""How people call what is created: whoever asks for a new thing names it, by whatever verb."""
MONEY: Final = frozenset({"money", "payment", "payments", "transaction", "transactions", "funds", "invoice", "bill"})
PAID: Final = ("pay", "refund", "transfer", "reimburse", "return", "wire", "settle")
MAILED: Final = frozenset({"email", "emails", "mail"})
SPOKEN: Final = frozenset({"message", "messages", "dm", "chat", "channel"})
POSTED: Final = (
    *("post", "congratulate", "share", "thank"),
    *(f"message {whom}" for whom in ("them", "him", "her", "everybody", "everyone", "me", "us")),
)
"""A message is a thing more often than a deed: only with whom to message it asks for one."""
