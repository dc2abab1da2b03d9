"""S3."""

from typing import Any

from calls.call import Call

BUCKET = {"Bucket": "${run}-bucket"}
NO_BUCKET = {"Bucket": "${run}-none"}


def s3(operation: str, about: str, parameters: dict[str, Any], **rest: Any) -> Call:
    return Call("s3", operation, about, parameters, **rest)


S3 = [
    s3("head_bucket", "of a missing bucket", BUCKET),
    s3("create_bucket", "of a bucket", BUCKET),
    s3("create_bucket", "of one's own bucket", BUCKET),
    s3("create_bucket", "with a bad name", {"Bucket": "A_b"}),
    s3("head_bucket", "of a bucket", BUCKET),
    s3(
        "put_object",
        "of an object",
        BUCKET | {"Key": "a/1", "Body": b"one", "ContentType": "text/plain"},
    ),
    s3(
        "put_object",
        "with metadata",
        BUCKET | {"Key": "a/2", "Body": b"two", "Metadata": {"colour": "red"}},
    ),
    s3(
        "put_object",
        "with a key to encode",
        BUCKET | {"Key": "b/ñ +?.txt", "Body": b""},
    ),
    s3(
        "put_object",
        "with a wrong MD5",
        BUCKET | {"Key": "x", "Body": b"x", "ContentMD5": "rL0Y20zC+Fzt72VPzMSk2A=="},
    ),
    s3(
        "put_object",
        "if there is none",
        BUCKET | {"Key": "a/1", "Body": b"x", "IfNoneMatch": "*"},
    ),
    s3("put_object", "into a missing bucket", NO_BUCKET | {"Key": "x", "Body": b"x"}),
    s3("get_object", "of an object", BUCKET | {"Key": "a/1"}),
    s3("get_object", "with metadata", BUCKET | {"Key": "a/2"}),
    s3("get_object", "of a range", BUCKET | {"Key": "a/1", "Range": "bytes=1-"}),
    s3("get_object", "of a bad range", BUCKET | {"Key": "a/1", "Range": "bytes=9-"}),
    s3("get_object", "of a missing key", BUCKET | {"Key": "none"}),
    s3("get_object", "from a missing bucket", NO_BUCKET | {"Key": "x"}),
    s3(
        "get_object",
        "if it has another ETag",
        BUCKET | {"Key": "a/1", "IfMatch": '"x"'},
    ),
    s3("head_object", "of an object", BUCKET | {"Key": "a/1"}),
    s3("head_object", "of a missing key", BUCKET | {"Key": "none"}),
    s3("list_objects_v2", "of all", BUCKET),
    s3(
        "list_objects_v2",
        "of a page",
        BUCKET | {"MaxKeys": 1, "Prefix": "a/"},
        keep={"token": "NextContinuationToken"},
    ),
    s3(
        "list_objects_v2",
        "of the next page",
        BUCKET | {"MaxKeys": 1, "Prefix": "a/", "ContinuationToken": "$token"},
    ),
    s3("list_objects_v2", "after a key", BUCKET | {"StartAfter": "a/1"}),
    s3("list_objects_v2", "of folders", BUCKET | {"Delimiter": "/"}),
    s3("list_objects_v2", "of a missing bucket", NO_BUCKET),
    s3("list_objects_v2", "with a bad token", BUCKET | {"ContinuationToken": "x"}),
    s3(
        "create_multipart_upload",
        "of an object",
        BUCKET | {"Key": "large"},
        keep={"upload": "UploadId"},
    ),
    s3("create_multipart_upload", "into a missing bucket", NO_BUCKET | {"Key": "large"}),
    s3(
        "upload_part",
        "of an upload",
        BUCKET | {"Key": "large", "UploadId": "$upload", "PartNumber": 1, "Body": b"part"},
        keep={"part": "ETag"},
    ),
    s3(
        "upload_part",
        "of a missing upload",
        BUCKET | {"Key": "large", "UploadId": "x", "PartNumber": 1, "Body": b"x"},
    ),
    s3(
        "complete_multipart_upload",
        "with a wrong part",
        BUCKET
        | {
            "Key": "large",
            "UploadId": "$upload",
            "MultipartUpload": {"Parts": [{"ETag": '"x"', "PartNumber": 1}]},
        },
    ),
    s3(
        "complete_multipart_upload",
        "of an upload",
        BUCKET
        | {
            "Key": "large",
            "UploadId": "$upload",
            "MultipartUpload": {"Parts": [{"ETag": "$part", "PartNumber": 1}]},
        },
    ),
    s3(
        "abort_multipart_upload",
        "of a missing upload",
        BUCKET | {"Key": "large", "UploadId": "x"},
    ),
    s3("delete_bucket", "that is not empty", BUCKET),
    s3("delete_object", "of a missing key", BUCKET | {"Key": "none"}),
    s3("delete_object", "from a missing bucket", NO_BUCKET | {"Key": "x"}),
    *[s3("delete_object", f"of {name}", BUCKET | {"Key": name}) for name in ("a/1", "a/2", "b/ñ +?.txt", "large")],
    s3("delete_bucket", "of a bucket", BUCKET),
    s3("delete_bucket", "of a missing bucket", NO_BUCKET),
]
