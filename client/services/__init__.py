"""The services as the client speaks to them: requests, answers, problems, sessions and streams over HTTP."""
