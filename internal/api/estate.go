package api

func (s *Server) estateRoutes() []route { return nil }
